// Uploads by `curl -T` into a room: read no faster than they are taken, answered when they were delivered, and
// with a clear status when they cannot be.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { curl } from './harness/curl.mjs';
import { refused } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { beginPut } from './harness/put.mjs';
import { startServer } from './harness/server.mjs';
import { until, within } from './harness/wait.mjs';

const SIZE = 5 * MIB + 3;
const ABC = 'blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85';

let server;
let folder;
before(async () => {
  server = await startServer({ ROOMS__PRESENCE_GRACE: '300ms', TRANSFERS__STALL_TIMEOUT: '500ms' });
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-put-'));
});
after(async () => {
  closeAll();
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

test('curl -T sends a file to whoever accepts it, and says who has it', async () => {
  const room = newRoom();
  const receiver = await join(server.url, room, { name: 'Ada' });
  const bytes = randomFile(SIZE);
  const path = joinPath(folder, 'plan.pdf');
  writeFileSync(path, bytes);
  const upload = curl(`${server.url}/rooms/${room}/?name=printer`, '-T', path, '-H', 'content-type: application/pdf');
  const offer = await offered(receiver);
  assert.equal(offer.fromName, 'printer');
  const [file] = offer.transfers;
  assert.deepEqual([file.name, file.size, file.type], ['plan.pdf', SIZE, 'application/pdf']);
  await finish(await receiver.receive(file.transfer), bytes);
  const { status, headers, body } = await upload;
  assert.equal(status, 201);
  assert.match(headers['content-type'], /^application\/json/);
  const { code, data } = JSON.parse(body);
  assert.equal(code, 200);
  assert.deepEqual([data.name, data.size, data.transfer, data.drop], ['plan.pdf', SIZE, file.transfer, offer.drop]);
  assert.match(data.digest, /^blake3:[0-9a-f]{64}$/);
  const ada = data.receivers.find(({ member }) => member === receiver.id);
  assert.deepEqual(ada, { member: receiver.id, name: 'Ada', state: 'complete', received: SIZE });
  await receiver.rooms.inbox.next('room:left', ({ member }) => member.name === 'printer');
});

test('a body of unknown size is followed live, and its size and digest come at its end', async () => {
  const { receiver, put, transfer, file } = await begun();
  assert.equal(file.size, null);
  const sink = await receiver.receive(transfer);
  await put.send('a');
  await sink.reaches(1);
  await put.send('b');
  await sink.reaches(2);
  assert.equal(sink.end, null);
  put.end('c');
  await finish(sink, Buffer.from('abc'));
  assert.deepEqual([sink.end.size, sink.end.digest], [3, ABC]);
  const { status, body } = await put.answer();
  assert.deepEqual([status, body.data.size, body.data.digest], [201, 3, ABC]);
});

test('an empty file arrives too', async () => {
  const { receiver, put, transfer } = await begun({ 'content-length': 0 });
  put.end();
  await finish(await receiver.receive(transfer), Buffer.alloc(0));
  assert.equal((await put.answer()).status, 201);
});

test('one upload serves many, by socket and by HTTP', async () => {
  const bytes = randomFile(20 * MIB);
  const { receiver, put, transfer } = await begun({ 'content-length': bytes.length });
  const others = await Promise.all([1, 2].map(() => join(server.url, receiver.room)));
  // Whoever comes after the first bytes have gone is too late, so all do before.
  const sink = await receiver.receive(transfer);
  const accepted = await Promise.all(others.map((person) => person.accept(transfer)));
  const downloads = await Promise.all(accepted.map(({ url }) => fetch(server.url + url)));
  put.end(bytes);
  const bodies = downloads.map((download) => download.arrayBuffer());
  await finish(sink, bytes);
  for (const body of bodies) assert.equal(sha256(Buffer.from(await body)), sha256(bytes));
  const { status, body } = await put.answer();
  assert.equal(status, 201);
  assert.equal(body.data.receivers.filter(({ state }) => state === 'complete').length, 3);
});

test('whoever waits for 100 Continue gets it when someone has accepted, and not before', async () => {
  const { receiver, put, transfer } = await begun({ expect: '100-continue', 'content-length': 3 });
  const other = await join(server.url, receiver.room);
  await other.rooms.ask('room:message', { room: receiver.room, text: 'time passes' });
  assert.equal(put.continued, false);
  const sink = await receiver.receive(transfer);
  await until('the server asks for the body', () => put.continued);
  put.end('abc');
  await finish(sink, Buffer.from('abc'));
  assert.equal((await put.answer()).status, 201);
});

test('an upload that nobody accepts stays with its sender', async () => {
  const { receiver, put, transfer } = await begun({ 'content-length': 400 * MIB });
  const before = memory();
  let left = 0;
  const pump = (async () => {
    for (const piece = Buffer.alloc(MIB); left < 400 * MIB; left += MIB) await put.send(piece);
  })();
  pump.catch(() => {});
  await until('it does not flow any more', standstill(() => left));
  assert.ok(left < 64 * MIB, `${left} bytes were taken that nobody asked for`);
  assert.ok(memory() - before < 32, `the server grew by ${memory() - before} MiB`);
  // It flows when someone takes it, no faster than that.
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  await until('it does not flow any more', standstill(() => left));
  assert.ok(left < 96 * MIB, `${left} bytes were taken`);
  put.abort();
});

test('when everyone says no, the sender is told', async () => {
  const { receiver, put, transfer } = await begun({ 'content-length': 3 });
  await receiver.rooms.ask('transfer:reject', { transfer });
  const { status, body } = await put.answer();
  assert.equal(status, 409);
  refused(body, 'rejected');
});

test('the sender hears the answer though it has filled its connection', async () => {
  const { receiver, put, transfer } = await begun({ 'content-length': 400 * MIB });
  put.send(Buffer.alloc(64 * MIB)).catch(() => {});
  await receiver.rooms.ask('transfer:reject', { transfer });
  assert.equal((await put.answer()).status, 409);
});

test('when the last receiver gives up, or leaves, the sender is told', async () => {
  for (const giveUp of [
    (receiver, transfer) => receiver.rooms.ask('transfer:cancel', { transfer }),
    (receiver) => receiver.vanish(),
  ]) {
    const { receiver, put, transfer } = await begun({ 'content-length': 400 * MIB });
    const sink = await receiver.receive(transfer, { stopAt: MIB });
    put.send(Buffer.alloc(8 * MIB)).catch(() => {});
    await sink.reaches(MIB);
    sink.close();
    await giveUp(receiver, transfer);
    const { status, body } = await put.answer();
    assert.equal(status, 410);
    refused(body, 'transfer_closed');
  }
});

test('a sender that gives up before anyone accepted takes its offer back', async () => {
  for (const headers of [{ 'content-length': 3 }, { 'content-length': 3, expect: '100-continue' }]) {
    const { receiver, put, transfer } = await begun(headers);
    if (!headers.expect) await put.send('a');
    put.abort();
    await receiver.state(transfer, 'cancelled');
    await receiver.rooms.inbox.next('room:left');
  }
});

test('a body that is cut short fails the transfer at once', async () => {
  for (const headers of [{ 'content-length': 5 * MIB }, {}]) {
    const { receiver, put, transfer } = await begun(headers);
    const sink = await receiver.receive(transfer);
    await put.send(Buffer.alloc(MIB));
    await sink.reaches(MIB);
    put.abort();
    const { data } = await receiver.state(transfer, 'failed');
    assert.equal(data.error, 'source_lost');
    await receiver.rooms.inbox.next('room:left');
  }
});

test('what is longer than announced is not taken', async () => {
  const room = newRoom();
  const receiver = await join(server.url, room);
  const { port, hostname } = new URL(server.url);
  const socket = net.connect(Number(port), hostname);
  let said = '';
  socket.setEncoding('latin1').on('data', (text) => (said += text));
  socket.write(`PUT /rooms/${room}/a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcdef`);
  const { transfers } = await offered(receiver);
  await finish(await receiver.receive(transfers[0].transfer), Buffer.from('abc'));
  await until('an answer', () => said.startsWith('HTTP/1.1 201 '));
  socket.destroy();
});

test('what no socket could say is a bad request, and nothing of its body is read', async () => {
  const room = newRoom();
  const receiver = await join(server.url, room);
  for (const [path, ...options] of [
    [`/rooms/${room}/a%2Fb`],
    [`/rooms/${room}/a%5Cb`],
    [`/rooms/${room}/%2e%2e`],
    [`/rooms/${room}/..`],
    [`/rooms/${room}/.`],
    [`/rooms/${room}/a/../b`],
    [`/rooms/${room}//etc/passwd`],
    [`/rooms/${room}/a%0d%0ab`],
    [`/rooms/${room}/a%00`],
    [`/rooms/${room}/%ff`],
    [`/rooms/${room}/${'a'.repeat(256)}`],
    [`/rooms/..%2F${room}/a`],
    [`/rooms/a.b/a`],
    [`/rooms/%2e%2e/a`],
    [`/rooms/${'a'.repeat(65)}/a`],
    [`/rooms/${room}`],
    [`/rooms/${room}/`],
    [`/rooms/${room}/a?name=${'n'.repeat(65)}`],
    [`/rooms/${room}/a?name=a%0Ab`],
    [`/rooms/${room}/a?keep=yes`],
    [`/rooms/${room}/a?name=a&name=b`],
    [`/rooms/${room}/a`, '-H', 'content-range: bytes 0-2/5'],
    [`/rooms/${room}/a`, '-H', `roomdrop-passphrase: ${'p'.repeat(2000)}`],
  ]) {
    const request = ['--path-as-is', '-X', 'PUT', '-H', 'expect: 100-continue', '--data-binary', 'abc'];
    const { status, body } = await curl(server.url + path, ...request, ...options);
    assert.equal(status, 400, path);
    refused(JSON.parse(body), 'bad_request');
  }
  assert.deepEqual(receiver.rooms.inbox.all('drop:offered'), []);
});

test('a room with a passphrase is opened by it alone', async () => {
  const room = newRoom();
  const receiver = await join(server.url, room, { passphrase: 'swordfish' });
  const url = `${server.url}/rooms/${room}/a`;
  for (const headers of [{}, { 'roomdrop-passphrase': 'shark' }]) {
    const { status, body } = await beginPut(url, headers).answer();
    assert.equal(status, 403);
    refused(body, 'not_allowed');
  }
  const put = beginPut(url, { 'roomdrop-passphrase': 'swordfish' });
  const { transfers } = await offered(receiver);
  put.end('abc');
  await finish(await receiver.receive(transfers[0].transfer), Buffer.from('abc'));
  assert.equal((await put.answer()).status, 201);
});

test('what is larger than the server takes is refused before a byte, or where it passes the limit', async (t) => {
  const small = await startServer({ TRANSFERS__MAX_SIZE: '1MiB' });
  t.after(() => small.stop());
  const room = newRoom();
  const receiver = await join(small.url, room);
  t.after(() => receiver.vanish());
  const url = `${small.url}/rooms/${room}/a`;
  const told = beginPut(url, { 'content-length': MIB + 1, expect: '100-continue' });
  const { status, body } = await told.answer();
  assert.deepEqual([status, told.continued], [413, false]);
  refused(body, 'too_large');
  const untold = beginPut(url);
  const { transfers } = await offered(receiver);
  const sink = await receiver.receive(transfers[0].transfer);
  untold.send(Buffer.alloc(2 * MIB)).catch(() => {});
  assert.equal((await untold.answer()).status, 413);
  sink.close();
});

test('what does not move for too long, or lives too long, is given up', async (t) => {
  const settings = { TRANSFERS__LIFETIME: '3s', TRANSFERS__STALL_TIMEOUT: '300ms', LIMITS__UPLOAD_PATIENCE: '300ms' };
  const hasty = await startServer(settings);
  t.after(() => hasty.stop());
  const still = await begun({ 'content-length': 5 }, hasty);
  const sink = await still.receiver.receive(still.transfer);
  await still.put.send('ab');
  await sink.reaches(2);
  const { status, body } = await still.put.answer();
  assert.equal(status, 408);
  refused(body, 'too_slow');
  sink.close();
  const lonely = await begun({ 'content-length': 5 }, hasty);
  const late = await lonely.put.answer();
  assert.equal(late.status, 410);
  refused(late.body, 'expired');
  for (const { receiver } of [still, lonely]) receiver.vanish();
});

test('a growing file is followed as it grows', async () => {
  const room = newRoom();
  const receiver = await join(server.url, room);
  const child = spawn('curl', ['-sS', '-T', '-', `${server.url}/rooms/${room}/log.txt`]);
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const { transfers } = await offered(receiver);
  const sink = await receiver.receive(transfers[0].transfer);
  let all = '';
  for (const line of ['first\n', 'second\n', 'x'.repeat(300 * KIB), 'last\n']) {
    child.stdin.write(line);
    all += line;
    await sink.reaches(all.length);
  }
  child.stdin.end();
  await finish(sink, Buffer.from(all));
  assert.equal(await within(ended, 'the end of curl'), 0);
  assert.equal(JSON.parse(said).data.size, all.length);
});

test('with keep=1 it is over when the copy is stored, though nobody took it', async () => {
  const url = `${server.url}/rooms/${newRoom()}/kept.txt`;
  const { status, body } = await curl(`${url}?keep=1`, '-X', 'PUT', '--data-binary', 'abc');
  assert.equal(status, 201, String(body));
  assert.equal(JSON.parse(body).data.digest, ABC);
  assert.equal((await curl(url)).body.toString(), 'abc');
});

test('what a sender has sent in full arrives without it', async () => {
  const { receiver, put, transfer } = await begun({ 'content-length': 3 });
  const sink = await receiver.receive(transfer);
  put.end('abc');
  await sink.reaches(3);
  await until('the digest is known', () => sink.end?.digest);
  put.abort();
  await receiver.rooms.inbox.next('room:left');
  await finish(sink, Buffer.from('abc'));
});

/** Someone in a room of its own, and an upload whose offer has come there. */
async function begun(headers, where = server) {
  const room = newRoom();
  const receiver = await join(where.url, room);
  const put = beginPut(`${where.url}/rooms/${room}/file.bin`, headers);
  const offer = await offered(receiver);
  return { receiver, put, file: offer.transfers[0], transfer: offer.transfers[0].transfer };
}

function offered(person) {
  return person.rooms.inbox.next('drop:offered', () => true, 'the offer of an upload');
}

/** Whether `figure()` has stayed the same for long enough to call it still. */
function standstill(figure) {
  let [last, looks] = [figure(), 0];
  return () => {
    looks = figure() === last ? looks + 1 : 0;
    last = figure();
    return looks > 100;
  };
}

function memory() {
  return Number(process.env.ROOMDROP_NODES ?? 1) > 1 ? 0 : server.memory().now;
}
