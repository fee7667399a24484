// Bodies, heads and origins as no good program sends them: cut short, too long, slow, of a framing that could be read
// in two ways; names that are paths. Each gets a clear answer, and at the end nothing is stored but what was meant to
// be, and nothing is held.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { MIB, randomFile } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { curl } from './harness/curl.mjs';
import { refused } from './harness/envelope.mjs';
import { Fetcher } from './harness/fetcher.mjs';
import { filesBelow } from './harness/folder.mjs';
import { plain, pour, startOrigin } from './harness/origin.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { beginPut } from './harness/put.mjs';
import { withstandsBadRanges } from './harness/ranges.mjs';
import { raw } from './harness/raw.mjs';
import { startNode } from './harness/server.mjs';
import { Source } from './harness/source.mjs';
import { until } from './harness/wait.mjs';

let server;
let origin;
let folder;
let data;
/** Transfers of which a whole copy is there, as it should be. */
const stored = [];
let descriptors;
before(async () => {
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-bad-bodies-'));
  data = joinPath(folder, 'data');
  origin = await startOrigin();
  server = await startNode({
    STORE__URL: `file:${data}`,
    TRANSFERS__MAX_SIZE: '16MiB',
    TRANSFERS__STALL_TIMEOUT: '300ms',
    LIMITS__UPLOAD_PATIENCE: '500ms',
    ROOMS__PRESENCE_GRACE: '300ms',
    FETCH__ENABLED: 'true',
    FETCH__ALLOW_PRIVATE: 'true',
  });
  await curl(`${server.url}/healthz`);
  descriptors = server.descriptors();
});
after(async () => {
  closeAll();
  await server?.stop();
  await origin?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const UPLOAD = { 'content-length': 5 * MIB };

/** Someone who watches a room, and the offer that comes there. */
async function watched() {
  const room = newRoom();
  const watcher = await join(server.url, room);
  const offer = async () => (await watcher.rooms.inbox.next('drop:offered')).transfers[0].transfer;
  return { room, watcher, offer, url: `${server.url}/rooms/${room}` };
}

for (const [what, headers] of [['of a known size', UPLOAD], ['of unknown size', {}]]) {
  test(`a body ${what} that is cut short while it is being stored leaves nothing`, async () => {
    const { watcher, offer, url } = await watched();
    const put = beginPut(`${url}/cut.bin?keep=1`, headers);
    const transfer = await offer();
    await put.send(randomFile(5 * MIB - 1));
    await watcher.status(transfer, ({ sent }) => sent > 4 * MIB, 'most of it is there');
    put.abort();
    const { data: told } = await watcher.state(transfer, 'failed');
    assert.equal(told.error, 'source_lost');
    assert.equal(told.copy, undefined);
  });
}

for (const [what, rest] of [
  ['a chunk whose size is no number', 'zz\r\nabc\r\n'],
  ['a chunk of more than fits in a number', 'fffffffffffffffff\r\nabc\r\n'],
  ['a chunk that is longer than it said', '1\r\nabc\r\n0\r\n\r\n'],
  ['no last chunk', ''],
]) {
  test(`a chunked body with ${what} is not taken for whole`, async () => {
    const { room, watcher, offer } = await watched();
    const head = `PUT /rooms/${room}/a?keep=1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`;
    const answer = raw(server.port, head + rest, { end: true });
    const { data: told } = await watcher.state(await offer(), 'failed');
    assert.equal(told.error, 'source_lost');
    assert.doesNotMatch(await answer, /^HTTP\/1\.1 2/);
  });
}

test('what is longer than announced is neither stored nor taken for a request', async () => {
  const { room, watcher, offer } = await watched();
  const second = `PUT /rooms/${room}/smuggled HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx`;
  const said = raw(
    server.port,
    `PUT /rooms/${room}/a?keep=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcGARBAGE \u0000${second}`,
  );
  const transfer = await offer();
  stored.push(transfer);
  const answers = (await said).match(/HTTP\/1\.1 \d+/g);
  assert.equal(answers[0], 'HTTP/1.1 201');
  assert.ok(answers.length <= 2 && answers.slice(1).every((answer) => answer === 'HTTP/1.1 400'), String(answers));
  assert.equal(watcher.rooms.inbox.all('drop:offered').length, 1);
  assert.equal((await curl(`${server.url}/rooms/${room}/a`)).body.toString(), 'abc');
});

test('a head that could be read in two ways is refused, and nothing is offered', async () => {
  const { room, watcher } = await watched();
  for (const lines of [
    'content-length: 3\r\ncontent-length: 4',
    'content-length: 3, 4',
    'content-length: -1',
    'content-length: +3',
    'content-length: 3.0',
    'content-length: 0x3',
    'content-length: 99999999999999999999999999',
    'content-length : 3',
    'transfer-encoding: gzip',
    'transfer-encoding: chunked, gzip',
    'transfer-encoding: chunke',
    'content-length: 3\r\nx: a\u0000b',
    'content-length: 3\r\n folded: a',
    `content-length: 3\r\nx: ${'a'.repeat(600_000)}`,
    `content-length: 3\r\n${'x: a\r\n'.repeat(1000)}y: b`,
  ]) {
    const said = await raw(server.port, `PUT /rooms/${room}/a HTTP/1.1\r\nhost: x\r\n${lines}\r\n\r\nabc`, { end: true });
    assert.match(said, /^(HTTP\/1\.1 4\d\d |$)/, `${lines.slice(0, 60)}: ${said.slice(0, 60)}`);
  }
  assert.deepEqual(watcher.rooms.inbox.all('drop:offered'), []);
});

test('where both framings are given, the one that HTTP prefers is read, and the connection ends', async () => {
  const { room, watcher, offer } = await watched();
  const next = `PUT /rooms/${room}/smuggled HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`;
  const head = `PUT /rooms/${room}/a?keep=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked`;
  const said = await raw(server.port, `${head}\r\n\r\n3\r\nabc\r\n0\r\n\r\n${next}`, { fits: (text) => text.includes('\r\n\r\n') });
  if (said.startsWith('HTTP/1.1 400')) return assert.deepEqual(watcher.rooms.inbox.all('drop:offered'), []);
  assert.match(said, /^HTTP\/1\.1 201/);
  stored.push(await offer());
  assert.equal((await curl(`${server.url}/rooms/${room}/a`)).body.toString(), 'abc');
});

for (const [what, headers] of [['of a known size', UPLOAD], ['of unknown size', {}]]) {
  test(`a body ${what} that its copy waits for in vain is given up in words`, async () => {
    const { watcher, offer, url } = await watched();
    const put = beginPut(`${url}/slow.bin?keep=1`, headers);
    const transfer = await offer();
    await put.send('ab');
    const { status, body } = await put.answer();
    assert.equal(status, 408);
    refused(body, 'too_slow');
    await watcher.state(transfer, 'failed');
  });
}

test('a body that is slow and comes is stored', async () => {
  const { offer, url } = await watched();
  const put = beginPut(`${url}/drips.txt?keep=1`, { 'content-length': 12 });
  stored.push(await offer());
  for (const drip of 'hello, world') {
    await put.send(drip);
    await curl(`${server.url}/healthz`);
  }
  put.end();
  assert.equal((await put.answer()).status, 201);
  assert.equal((await curl(`${url}/drips.txt`)).body.toString(), 'hello, world');
});

test('a kept live stream that is lost, or is larger than may be, leaves nothing', async () => {
  const room = newRoom();
  const sender = await join(server.url, room);
  const watcher = await join(server.url, room);
  const bytes = randomFile(17 * MIB);
  const live = async () => {
    const taken = await sender.offer([{ name: 'live', size: null }], { keep: true });
    const source = new Source(sender.transfers);
    await source.serve(taken.transfers[0], bytes, { ready: 6 * MIB });
    await until('some of it is sent', () => source.uploaded === 6 * MIB);
    return { source, transfer: taken.transfers[0].transfer };
  };
  const large = await live();
  large.source.feed(large.transfer, bytes.length);
  await until('it is refused', () => large.source.answers.some(({ data: told }) => told.error === 'too_large'));
  await sender.rooms.ask('transfer:cancel', { transfer: large.transfer });
  await watcher.state(large.transfer, 'cancelled');
  const lost = await live();
  sender.vanish();
  const { data: told } = await watcher.state(lost.transfer, 'failed');
  assert.equal(told.error, 'source_lost');
});

test('names that are paths, commands or not of this world are stored as names, and never name a file', async () => {
  const room = newRoom();
  const sender = await join(server.url, room);
  const names = ['..%2F..%2Fetc%2Fpasswd', '.hidden', '-rf', 'CON', 'a\u202Egpj.exe', 'manifests', '%00', '~', '$(id)', 'a:b'];
  for (const name of names) {
    const taken = await sender.offer([{ name, path: 'x/y', size: 5 }], { keep: true });
    const [{ transfer }] = taken.transfers;
    await new Source(sender.transfers).serve(taken.transfers[0], Buffer.from('hello'));
    await sender.status(transfer, ({ copy }) => copy.state === 'stored', name);
    stored.push(transfer);
    const late = await join(server.url, room);
    const offered = late.joined.drops.flatMap(({ transfers }) => transfers).find((one) => one.transfer === transfer);
    assert.equal(offered.name, name);
    await finish(await late.receive(transfer), Buffer.from('hello'));
    late.vanish();
  }
  sender.vanish();
});

test('bad ranges of a stored copy are ignored or not satisfiable, by token and by name', async () => {
  const room = newRoom();
  const url = `${server.url}/rooms/${room}/ranges.bin`;
  const bytes = randomFile(1000);
  const put = beginPut(`${url}?keep=1`, { 'content-length': bytes.length });
  put.end(bytes);
  const { status, body } = await put.answer();
  assert.equal(status, 201);
  stored.push(body.data.transfer);
  const late = await join(server.url, room);
  const accepted = await late.accept(body.data.transfer);
  await withstandsBadRanges(server.url + accepted.url, bytes);
  await withstandsBadRanges(url, bytes);
});

test('a path that is a trick is no address of anything', async () => {
  const { transfer, token } = await stolen();
  for (const path of [
    `/transfers/../transfers/${transfer}/content?token=${token}`,
    `/transfers/${transfer}%2fcontent?token=${token}`,
    `/transfers/%2e%2e/${transfer}/content?token=${token}`,
    `/transfers/${transfer}%00/content?token=${token}`,
    `/transfers/${'..%2f'.repeat(9)}etc%2fpasswd/content?token=${token}`,
    `/drops/..%2f..%2fdata%2fmanifests%2f${transfer}/content?token=${token}`,
    '/rooms/..%2f..%2fdata',
    '/rooms/%2e%2e',
    '/rooms/a%00b',
    '/../data/manifests/x',
    '/assets/../../data',
    '/assets/%2e%2e%2f%2e%2e%2fdata',
    '//data/manifests',
  ]) {
    const said = await raw(server.port, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    assert.match(said, /^HTTP\/1\.1 (400|404) /, `${path}: ${said.slice(0, 100)}`);
  }
});

async function stolen() {
  const room = newRoom();
  const sender = await join(server.url, room);
  const { transfer } = await sender.send(randomFile(10));
  const receiver = await join(server.url, room);
  return receiver.accept(transfer);
}

test('a kept fetch whose origin lies about its length leaves nothing', async () => {
  for (const [path, answer] of [
    ['/less', (_, response, file) => {
      response.writeHead(200, { 'content-length': file.bytes.length + 1000 });
      pour(response, file.bytes, file, () => response.destroy());
    }],
    ['/no-end', (_, response, file) => {
      response.writeHead(200);
      pour(response, file.bytes, file, () => response.destroy());
    }],
    ['/no-number', (_, response) => response.socket.end('HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nabc')],
    ['/two', (_, response) =>
      response.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabc')],
    ['/elsewhere', (_, response, file) => {
      response.writeHead(206, { 'content-range': `bytes 5-9/10`, 'content-length': 5 });
      response.end(file.bytes.subarray(0, 5));
    }],
  ]) {
    const { watcher } = await watched();
    const fetcher = await Fetcher.of(server.url, watcher);
    const file = origin.serve(path, { bytes: randomFile(MIB), answer });
    const answered = await fetcher.ask(file.url, { keep: true });
    if (answered.code === 200) {
      const failed = await fetcher.failed(answered.data.transfer);
      assert.equal(failed.error, 'fetch_failed', path);
    } else {
      refused(answered, 'fetch_failed');
    }
    await until('the origin is let go', () => file.open === 0);
    fetcher.close();
  }
});

test('a kept fetch that never ends is ended at the largest size, and is not stored', async () => {
  const { watcher } = await watched();
  const fetcher = await Fetcher.of(server.url, watcher);
  const piece = randomFile(MIB);
  const file = origin.serve('/endless', {
    answer(_, response, its) {
      response.writeHead(200);
      const more = () => pour(response, piece, its, () => setImmediate(more));
      more();
    },
  });
  const { transfer } = await fetcher.start(file.url, { keep: true });
  assert.equal((await fetcher.failed(transfer)).error, 'too_large');
  await until('the origin is let go', () => file.open === 0);
});

test('an origin whose head never ends, or that redirects to ever new places, is given up', async () => {
  const { watcher } = await watched();
  const fetcher = await Fetcher.of(server.url, watcher);
  let places = 0;
  const onwards = (_, response) => {
    places += 1;
    const { url } = origin.serve(`/on/${places}`, { answer: onwards });
    response.writeHead(307, { location: url }).end();
  };
  refused(await fetcher.ask(origin.serve('/on', { answer: onwards }).url), 'fetch_failed');
  assert.ok(places <= 12, String(places));
  const endless = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 200 OK\r\n');
    const more = () => {
      while (!socket.destroyed && socket.write(`x: ${'a'.repeat(1000)}\r\n`));
      if (!socket.destroyed) socket.once('drain', more);
    };
    more();
  });
  await new Promise((resolve) => endless.listen(0, '127.0.0.1', resolve));
  refused(await fetcher.ask(`http://127.0.0.1:${endless.address().port}/`), 'fetch_failed');
  await new Promise((resolve) => endless.close(resolve));
});

test('after all of it only what was meant to be stored is there, and nothing is held', async () => {
  const { watcher } = await watched();
  const fetcher = await Fetcher.of(server.url, watcher);
  const file = origin.serve('/fine', { bytes: randomFile(MIB), answer: plain() });
  const { transfer } = await fetcher.start(file.url, { keep: true });
  await watcher.status(transfer, ({ copy }) => copy?.state === 'stored', 'what is good is stored');
  stored.push(transfer);
  closeAll();
  assert.deepEqual(below('manifests').sort(), [...stored].sort());
  assert.deepEqual(below('records').map((path) => path.split('/').at(-1)).sort(), [...stored].sort());
  await until('nothing is being written', () => below('leases').length === 0, () => String(below('leases')));
  assert.ok(below('.').every((path) => /^(chunks\/[0-9a-f]{2}|manifests|records\/kept\/[0-9a-f]{32})\/[0-9a-f]+$/.test(path)), String(below('.')));
  const open = () => server.descriptors();
  await until('its descriptors are back', () => open() <= descriptors + 4, () => `${open()}, not ${descriptors}`);
  assert.ok(server.memory().most < 400, `${server.memory().most} MiB`);
});

/** Files below a folder of the store. */
const below = (name) => filesBelow(joinPath(data, name));
