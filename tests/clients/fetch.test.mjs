// Downloads by the server, from origins that behave and origins that do not: whoever accepts gets exactly the
// origin's bytes, whoever asked is told how it goes, and what goes wrong ends with a word that says what.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile } from './harness/bytes.mjs';
import { closeAll, connect } from './harness/clients.mjs';
import { arrives } from './harness/cluster-people.mjs';
import { curl } from './harness/curl.mjs';
import { ok, refused } from './harness/envelope.mjs';
import { Fetcher } from './harness/fetcher.mjs';
import { from, good, plain, pour, startOrigin } from './harness/origin.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 6 * MIB + 7;
const OPEN = { FETCH__ENABLED: 'true', FETCH__ALLOW_PRIVATE: 'true' };

let server;
let origin;
let folder;
before(async () => {
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-fetch-'));
  origin = await startOrigin();
  const script = joinPath(folder, 'get.sh');
  writeFileSync(script, SCRIPT, { mode: 0o755 });
  const commands = [{ hosts: ['*.tube.example'], program: script, args: ['{url}', folder] }];
  server = await startServer({
    ...OPEN,
    FETCH__HOSTS: '127.0.0.1',
    FETCH__COMMANDS: toToml(commands),
    TRANSFERS__MAX_SIZE: '64MiB',
    TRANSFERS__STALL_TIMEOUT: '2s',
  });
});
after(async () => {
  closeAll();
  await server?.stop();
  await origin?.stop();
  rmSync(folder, { recursive: true, force: true });
});

// A stand-in for yt-dlp: what it does is in the URL's path.
const SCRIPT = `#!/bin/sh
case "$1" in
  */good) printf 'the file of %s' "$1" ;;
  */bad) printf 'half'; echo 'ERROR: no such video' >&2; exit 3 ;;
  */long) echo $$ > "$2/pid"; printf 'begin'; sleep 1000 & wait ;;
esac
`;

const toToml = (commands) =>
  `[${commands.map((c) => `{hosts=${JSON.stringify(c.hosts)},program=${JSON.stringify(c.program)},args=${JSON.stringify(c.args)}}`)}]`;

/** Someone who asks, with a link to `/fetches`, and someone who receives. */
async function two(at = server) {
  const room = newRoom();
  const asker = await join(at.url, room, { name: 'asker' });
  const receiver = await join(at.url, room, { name: 'receiver' });
  return { room, asker, receiver, fetcher: await Fetcher.of(at.url, asker) };
}

test('a URL becomes a drop of the asker, and its bytes come unchanged', async () => {
  const { asker, receiver, fetcher } = await two();
  const file = origin.serve('/good.bin', {
    bytes: randomFile(SIZE),
    headers: { 'content-type': 'image/png', 'content-disposition': "attachment; filename*=UTF-8''%e2%82%ac.png" },
  });
  const { transfer } = await fetcher.start(file.url);
  const offer = await receiver.rooms.inbox.next('drop:offered');
  assert.equal(offer.from, asker.id);
  const [shown] = offer.transfers;
  assert.deepEqual([shown.transfer, shown.name, shown.size, shown.type], [transfer, '€.png', SIZE, 'image/png']);
  const sink = await receiver.receive(transfer);
  await finish(sink, file.bytes);
  const end = await fetcher.complete(transfer);
  assert.equal(end.name, '€.png');
  assert.equal(end.error, undefined);
});

test('the asker is told how it goes, at most every 500 ms', async () => {
  const { receiver, fetcher } = await two();
  const file = origin.serve('/slow.bin', { bytes: randomFile(8 * MIB), answer: slowly });
  const { transfer, resource } = await fetcher.start(file.url, { name: 'other.bin', resource: 'mine' });
  assert.equal(resource, 'mine');
  const began = Date.now();
  await finish(await receiver.receive(transfer), file.bytes);
  await fetcher.complete(transfer);
  const told = fetcher.told('fetch:progress');
  assert.ok(told.length >= 3 && told.length <= 2 + (Date.now() - began) / 500, `${told.length} times`);
  let received = 0;
  for (const progress of told) {
    assert.deepEqual([progress.resource, progress.transfer, progress.name], ['mine', transfer, 'other.bin']);
    assert.equal(progress.size, 8 * MIB);
    assert.ok(progress.received >= received && progress.progress >= 0 && progress.progress <= 100);
    assert.equal(progress.progress, Math.floor((progress.received * 1000) / progress.size) / 10);
    assert.ok(Number.isSafeInteger(progress.bytesPerSecond));
    ({ received } = progress);
  }
});

/** As a good server, in pieces of 64 KiB with a pause between. */
function slowly(_, response, file) {
  const { bytes, tag } = file;
  response.writeHead(206, { etag: tag, 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` });
  let at = 0;
  const more = () => {
    if (response.destroyed) return;
    response.write(bytes.subarray(at, at + 64 * KIB));
    at += 64 * KIB;
    if (at < bytes.length) setTimeout(more, 12);
    else response.end();
  };
  more();
}

test('nothing is read beyond what someone asks for', async () => {
  const { receiver, fetcher } = await two();
  const file = origin.serve('/patient.bin', { bytes: randomFile(48 * MIB), answer: plain() });
  const { transfer } = await fetcher.start(file.url);
  const sink = await receiver.receive(transfer, { stopAt: 1 * MIB });
  await sink.reaches(1 * MIB);
  // What the sockets hold between origin and server, beside the server's own window.
  await until('the origin has to wait', async () => {
    const before = file.taken;
    await curl(`${server.url}/healthz`);
    return before === file.taken;
  });
  assert.ok(file.taken < 24 * MIB, `${file.taken} bytes were taken`);
  sink.go();
  await finish(sink, file.bytes);
  assert.equal(file.requests.length, 1);
});

test('several receivers, and parts of the file by HTTP, from an origin with ranges', async () => {
  const { room, receiver, fetcher } = await two();
  const file = origin.serve('/ranges.bin', { bytes: randomFile(SIZE) });
  const { transfer } = await fetcher.start(file.url);
  const accepted = await receiver.accept(transfer);
  const { status, headers, body } = await curl(`${server.url}${accepted.url}`, '--range', `${5 * MIB}-`);
  assert.equal(status, 206);
  assert.equal(headers['accept-ranges'], 'bytes');
  assert.ok(body.equals(file.bytes.subarray(5 * MIB)));
  assert.ok(file.requests.some(({ range }) => Number(/\d+/.exec(range)[0]) >= 4 * MIB), 'it went there');
  const late = await join(server.url, room);
  await finish(await late.receive(transfer), file.bytes);
  const whole = await curl(`${server.url}${accepted.url}`);
  assert.ok(whole.body.equals(file.bytes));
});

for (const sized of [true, false]) {
  test(`an origin without ranges gives its bytes once, its size ${sized ? '' : 'not '}known`, async () => {
    const { room, receiver, fetcher } = await two();
    const file = origin.serve(`/once-${sized}.bin`, { bytes: randomFile(SIZE), answer: plain({ sized }) });
    const { transfer } = await fetcher.start(file.url);
    const offer = await receiver.rooms.inbox.next('drop:offered');
    assert.equal(offer.transfers[0].size, sized ? SIZE : null);
    await finish(await receiver.receive(transfer), file.bytes);
    await fetcher.complete(transfer);
    const late = await join(server.url, room);
    refused(await late.rooms.ask('transfer:accept', { transfer }), 'transfer_closed');
    assert.equal(file.requests.length, 1);
  });
}

test('a link that breaks in the middle is mended by asking for the rest', async () => {
  const { receiver, fetcher } = await two();
  let cuts = 0;
  const file = origin.serve('/cut.bin', {
    bytes: randomFile(SIZE),
    answer(request, response, its) {
      if (cuts >= 3) return good(request, response, its);
      cuts += 1;
      const start = from(request);
      const head = { etag: its.tag, 'content-range': `bytes ${start}-${SIZE - 1}/${SIZE}` };
      response.writeHead(206, { ...head, 'content-length': SIZE - start });
      pour(response, its.bytes.subarray(start, start + MIB), its, () => response.destroy());
    },
  });
  const { transfer } = await fetcher.start(file.url);
  await finish(await receiver.receive(transfer), file.bytes);
  await fetcher.complete(transfer);
  const further = file.requests.filter(({ range }) => range !== 'bytes=0-');
  assert.ok(further.length >= 3, JSON.stringify(file.requests));
  assert.ok(further.every((headers) => headers['if-range'] === file.tag));
});

test('a file that changes in the middle is an error, and not a mixture', async () => {
  const { receiver, fetcher } = await two();
  let cut = false;
  const file = origin.serve('/changed.bin', {
    bytes: randomFile(SIZE),
    answer(request, response, its) {
      if (cut) return good(request, response, { ...its, tag: '"another"', bytes: randomFile(SIZE) });
      cut = true;
      response.writeHead(206, { etag: its.tag, 'content-range': `bytes 0-${SIZE - 1}/${SIZE}` });
      pour(response, its.bytes.subarray(0, MIB), its, () => response.destroy());
    },
  });
  const { transfer } = await fetcher.start(file.url);
  const sink = await receiver.receive(transfer);
  const failed = await fetcher.failed(transfer);
  assert.equal(failed.error, 'fetch_failed');
  assert.match(failed.msg, /changed/);
  await receiver.state(transfer, 'failed');
  assert.ok(sink.bytes().equals(file.bytes.subarray(0, sink.held)), 'what came is of the first');
});

for (const [what, sized, answer] of [
  ['ends early', true, (_, response, its) => cutShort(response, its)],
  ['ends early in the middle of a chunk', false, (_, response, its) => cutShort(response, its, true)],
]) {
  test(`an origin without ranges that ${what} fails the fetch`, async () => {
    const { receiver, fetcher } = await two();
    const file = origin.serve(`/short-${sized}.bin`, { bytes: randomFile(2 * MIB), answer });
    const { transfer } = await fetcher.start(file.url);
    await receiver.receive(transfer);
    const failed = await fetcher.failed(transfer);
    assert.equal(failed.error, 'fetch_failed');
    await receiver.state(transfer, 'failed');
  });
}

function cutShort(response, its, chunked = false) {
  response.writeHead(200, chunked ? {} : { 'content-length': its.bytes.length + 1000 });
  pour(response, its.bytes, its, () => response.destroy());
}

test('an origin that sends more than it said is not listened to any longer', async () => {
  const { receiver, fetcher } = await two();
  const file = origin.serve('/more.bin', {
    bytes: randomFile(MIB),
    answer(request, response, its) {
      const start = from(request);
      response.writeHead(206, { etag: its.tag, 'content-range': `bytes ${start}-${MIB - 1}/${MIB}` });
      pour(response, Buffer.concat([its.bytes.subarray(start), randomFile(MIB)]), its);
    },
  });
  const { transfer } = await fetcher.start(file.url);
  await finish(await receiver.receive(transfer), file.bytes);
});

test('an origin that never ends is ended at the largest size', async () => {
  const { receiver, fetcher } = await two();
  const piece = randomFile(MIB);
  const file = origin.serve('/endless.bin', {
    answer(_, response, its) {
      response.writeHead(200);
      const more = () => pour(response, piece, its, () => setImmediate(more));
      more();
    },
  });
  const { transfer } = await fetcher.start(file.url);
  await receiver.receive(transfer);
  const failed = await fetcher.failed(transfer);
  assert.equal(failed.error, 'too_large');
  await receiver.state(transfer, 'failed');
  await until('the origin is let go', () => file.open === 0);
});

test('a file that is too large is refused before any byte of it is taken', async () => {
  const { fetcher } = await two();
  const huge = 65 * MIB;
  const file = origin.serve('/huge.bin', {
    answer: (_, response) => response.writeHead(200, { 'content-length': huge }).flushHeaders(),
  });
  refused(await fetcher.ask(file.url), 'too_large');
  await until('the origin is let go', () => file.open === 0);
});

test('redirects are followed, each judged, and not for ever', async () => {
  const { receiver, fetcher } = await two();
  const file = origin.serve('/end/real%20name.bin', { bytes: randomFile(KIB) });
  const to = (location) => (_, response) => response.writeHead(302, { location }).end();
  const start = origin.serve('/start', { answer: to('/middle') });
  origin.serve('/middle', { answer: to(file.url) });
  const { transfer } = await fetcher.start(start.url);
  const offer = await receiver.rooms.inbox.next('drop:offered');
  assert.equal(offer.transfers[0].name, 'real name.bin');
  await finish(await receiver.receive(transfer), file.bytes);

  const loop = origin.serve('/loop', { answer: to('/loop') });
  const { msg } = refused(await fetcher.ask(loop.url), 'fetch_failed');
  assert.match(msg, /redirect/);
  assert.ok(loop.requests.length <= 12);
  // By another name, the very same machine: only 127.0.0.1 may be asked here.
  const away = origin.serve('/away', { answer: to(file.url.replace('127.0.0.1', 'localhost')) });
  const before = file.requests.length;
  refused(await fetcher.ask(away.url), 'not_allowed');
  assert.equal(file.requests.length, before);
});

test('what cannot be fetched is refused in words', async () => {
  const { room, fetcher, asker } = await two();
  for (const [url, ...errors] of [
    ['file:///etc/passwd', 'bad_request'],
    ['ftp://127.0.0.1/a', 'bad_request'],
    ['not a url', 'bad_request'],
    ['', 'bad_request'],
    [7, 'bad_request'],
    ['http://localhost/', 'not_allowed'],
    ['http://[::1]/', 'not_allowed'],
    [`${origin.url}/nothing-here`, 'fetch_failed'],
    ['http://127.0.0.1:1/', 'fetch_failed'],
  ]) {
    refused(await fetcher.ask(url), ...errors);
  }
  const { url } = origin.serve('/ok', { bytes: randomFile(1) });
  const ask = (words) => fetcher.wire.ask('fetch:start', { room, key: asker.key, url, ...words });
  refused(await ask({ key: '0'.repeat(32) }), 'not_allowed');
  const stranger = await Fetcher.of(server.url, { room, key: '0'.repeat(32) });
  refused(await stranger.ask(url), 'room_not_found');
  refused(await ask({ room: newRoom() }), 'room_not_found');
  refused(await ask({ name: '../x' }), 'bad_request');
  refused(await ask({ resource: '' }), 'bad_request');
  refused(await fetcher.wire.ask('fetch:stop', { resource: 'unknown' }), 'transfer_not_found');
  refused(await fetcher.wire.ask('fetch:other', {}), 'bad_request');
});

test('more than a hundred that wait for their answer are refused, and there is room again', async () => {
  const { fetcher } = await two();
  const file = origin.serve('/mute', { answer: () => {} });
  const waiting = Array.from({ length: 100 }, (_, number) => fetcher.ask(file.url, { resource: `mute ${number}` }));
  refused(await fetcher.ask(file.url, { resource: 'one more' }), 'rate_limited');
  for (const number of waiting.keys()) ok(await fetcher.wire.ask('fetch:stop', { resource: `mute ${number}` }));
  for (const answer of await Promise.all(waiting)) refused(answer, 'transfer_closed');
  await until('the origin is let go', () => file.open === 0);
  refused(await fetcher.ask(`${origin.url}/nothing-here`), 'fetch_failed');
});

test('stopping ends the fetch, for everyone, and lets go of the origin', async () => {
  const { receiver, fetcher } = await two();
  const file = origin.serve('/stop.bin', { bytes: randomFile(32 * MIB) });
  const { transfer, resource } = await fetcher.start(file.url);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  ok(await fetcher.wire.ask('fetch:stop', { resource }));
  await receiver.state(transfer, 'cancelled');
  assert.equal((await fetcher.failed(transfer)).error, undefined);
  await until('the origin is let go', () => file.open === 0);
});

test('a fetch can be stopped while its origin has not answered', async () => {
  const { fetcher } = await two();
  const file = origin.serve('/mute', { answer() {} });
  const asking = fetcher.ask(file.url, { resource: 'mute' });
  await until('the origin was asked', () => file.requests.length === 1);
  ok(await fetcher.wire.ask('fetch:stop', { resource: 'mute' }));
  refused(await asking, 'transfer_closed');
  await until('the origin is let go', () => file.open === 0);
});

test('beyond the number of fetches at once, the next wait their turn', async () => {
  const busy = await startServer({ ...OPEN, FETCH__CONCURRENT: '2', TRANSFERS__STALL_TIMEOUT: '500ms' });
  try {
    await queue(busy);
  } finally {
    await busy.stop();
  }
});

async function queue(busy) {
  const { receiver, fetcher } = await two(busy);
  const files = [0, 1, 2, 3].map((n) => origin.serve(`/queue-${n}`, { bytes: randomFile(16 * MIB) }));
  const started = [];
  for (const file of files) started.push(await fetcher.start(file.url));
  const sinks = [];
  for (const { transfer } of started.slice(0, 2)) {
    const sink = await receiver.receive(transfer, { stopAt: MIB });
    await sink.reaches(MIB);
    sinks.push(sink);
  }
  for (const { transfer } of started.slice(2)) sinks.push(await receiver.receive(transfer));
  // Two are served and two wait: their transfers show it.
  await receiver.state(started[3].transfer, 'suspended');
  assert.deepEqual([sinks[2].held, sinks[3].held], [0, 0]);
  assert.ok(files.reduce((sum, file) => sum + file.open, 0) <= 2);
  sinks[0].go();
  await finish(sinks[0], files[0].bytes);
  await finish(sinks[2], files[2].bytes);
  await finish(sinks[3], files[3].bytes);
  sinks[1].go();
  await finish(sinks[1], files[1].bytes);
  for (const { transfer } of started) await fetcher.complete(transfer);
}

test('asking again by the same name starts nothing twice, and whoever comes back is told', async () => {
  const { asker, receiver, fetcher } = await two();
  const file = origin.serve('/again.bin', { bytes: randomFile(SIZE) });
  const [one, two_] = await Promise.all([
    fetcher.start(file.url, { resource: 'again' }),
    fetcher.start(file.url, { resource: 'again' }),
  ]);
  assert.deepEqual(one, two_);
  refused(await fetcher.ask(`${file.url}?other`, { resource: 'again' }), 'bad_request');
  const sink = await receiver.receive(one.transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  fetcher.close();
  const back = await Fetcher.of(server.url, asker);
  assert.deepEqual(await back.start(file.url, { resource: 'again' }), one);
  await back.progress(one.transfer, ({ received }) => received >= MIB);
  sink.go();
  await finish(sink, file.bytes);
  await back.complete(one.transfer);
  // And one who comes when all is over.
  const late = await Fetcher.of(server.url, asker);
  assert.deepEqual(await late.start(file.url, { resource: 'again' }), one);
  await late.complete(one.transfer);
});

test('a program fetches where the operator says so, and its output is the file', async () => {
  const { receiver, fetcher } = await two();
  const url = 'https://www.tube.example/$(touch%20x)/good';
  const { transfer } = await fetcher.start(url);
  await finish(await receiver.receive(transfer), Buffer.from(`the file of ${url}`));
  await fetcher.complete(transfer);
});

test('a program that fails says why', async () => {
  const { receiver, fetcher } = await two();
  const { transfer } = await fetcher.start('https://www.tube.example/bad');
  await receiver.receive(transfer);
  const failed = await fetcher.failed(transfer);
  assert.equal(failed.error, 'fetch_failed');
  assert.match(failed.msg, /code 3: ERROR: no such video$/);
});

test('stopping a program ends it with all that it started', async () => {
  const { receiver, fetcher } = await two();
  const { transfer, resource } = await fetcher.start('https://www.tube.example/long');
  const sink = await receiver.receive(transfer);
  await sink.reaches(5);
  const pid = Number(readFileSync(joinPath(folder, 'pid'), 'utf8'));
  const lives = () => group(pid).length > 0;
  assert.ok(lives());
  ok(await fetcher.wire.ask('fetch:stop', { resource }));
  await until('the program is gone', () => !lives());
});

/** Whether anything of a process group is there, by the signal 0. */
function group(pid) {
  try {
    process.kill(-pid, 0);
    return [pid];
  } catch {
    return [];
  }
}

test('where it is switched off, nothing is fetched', async () => {
  const plainServer = await startServer();
  try {
    const asker = await join(plainServer.url, newRoom());
    const fetcher = await Fetcher.of(plainServer.url, asker);
    const file = origin.serve('/off', { bytes: randomFile(1) });
    refused(await fetcher.ask(file.url), 'not_allowed');
    assert.equal(file.requests.length, 0);
  } finally {
    await plainServer.stop();
  }
});

test('as it comes, nothing private is fetched, by address or by name', async () => {
  const careful = await startServer({ FETCH__ENABLED: 'true' });
  try {
    const asker = await join(careful.url, newRoom());
    const fetcher = await Fetcher.of(careful.url, asker);
    const file = origin.serve('/private', { bytes: randomFile(1) });
    const port = origin.port;
    for (const host of ['127.0.0.1', 'localhost', '127.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      const { msg } = refused(await fetcher.ask(`http://${host}:${port}/private`), 'not_allowed');
      assert.match(msg, /not public/, host);
    }
    assert.equal(file.requests.length, 0);
    assert.doesNotMatch(careful.log, /private/);
  } finally {
    await careful.stop();
  }
});
