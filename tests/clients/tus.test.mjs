// Uploads in pieces by the real tus-js-client: whole, in parallel, stopped and gone on with, over links that break
// and servers that are killed; and the drops that they become.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, test } from 'node:test';
import { FileUrlStorage, Upload } from 'tus-js-client';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { ok } from './harness/envelope.mjs';
import { SECRET, startReceiver } from './harness/hook.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startProxy } from './harness/proxy.mjs';
import { startS3 } from './harness/s3.mjs';
import { startNode } from './harness/server.mjs';
import { begun, head, metadata, offsetOf, outcome, patch, upload, uploadAll } from './harness/tus.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 9 * MIB + 7;
const servers = [];
const others = [];
const folders = [];

after(async () => {
  closeAll();
  await Promise.all(servers.map((server) => server.stop()));
  for (const other of others) await other.close?.();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder() {
  const folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-tus-'));
  folders.push(folder);
  return joinPath(folder, 'data');
}

async function start(data = newFolder(), settings = {}, options = {}) {
  const server = await startNode({ STORE__URL: `file:${data}`, ...settings }, options);
  servers.push(server);
  return server;
}

async function startLink(server) {
  const link = await startProxy(server.port);
  others.push(link);
  return link;
}

/** What an upload became, as someone who joins now gets it. */
async function received(url, room, words = {}) {
  const late = await join(url, room, words);
  const [drop] = late.joined.drops;
  const sink = await late.receive(drop.transfers[0].transfer);
  const bytes = await sink.whole();
  ok(await sink.done());
  return { drop, bytes };
}

const inRoom = (room, more = {}) => ({ room, filename: 'photo ä.png', filetype: 'image/png', ...more });

test('a whole upload becomes a drop: whoever is there has it, and whoever comes later', async () => {
  const server = await start();
  const room = newRoom();
  const present = await join(server.url, room);
  const bytes = randomFile(SIZE);
  const said = inRoom(room, { note: 'from afar', fromName: 'Ann' });
  const { drop, transfer } = await uploadAll(server.url, bytes, { metadata: said });
  const offered = await present.offered(drop);
  assert.equal(offered.keep, true);
  assert.equal(offered.fromName, 'Ann');
  assert.equal(offered.note, 'from afar');
  const [file] = offered.transfers;
  assert.deepEqual(
    [file.transfer, file.name, file.type, file.size],
    [transfer, 'photo ä.png', 'image/png', SIZE],
  );
  await finish(await present.receive(transfer), bytes);
  present.vanish();
  const late = await received(server.url, room);
  assert.equal(late.drop.drop, drop);
  assert.equal(sha256(late.bytes), sha256(bytes));
  const taker = await join(server.url, room);
  const { url } = await taker.accept(transfer);
  const part = await fetch(new URL(url, server.url), { headers: { Range: `bytes=${4 * MIB - 2}-${4 * MIB + 1}` } });
  assert.equal(part.status, 206);
  assert.equal(sha256(Buffer.from(await part.arrayBuffer())), sha256(bytes.subarray(4 * MIB - 2, 4 * MIB + 2)));
});

test('what Uppy says of a file is enough, and an empty file is one', async () => {
  const server = await start();
  const room = newRoom();
  const said = { room, name: 'a.txt', type: 'text/plain', relativePath: 'null', filename: 'a.txt', filetype: 'text/plain' };
  await uploadAll(server.url, Buffer.alloc(0), { metadata: said });
  const { drop, bytes } = await received(server.url, room);
  assert.deepEqual([drop.transfers[0].name, drop.fromName, bytes.length], ['a.txt', 'guest', 0]);
});

test('small bodies, the first with the request that begins, and a size that is said at the end, make the same file', async () => {
  const server = await start();
  const bytes = randomFile(3 * MIB + 5);
  for (const options of [
    { chunkSize: 100 * KIB },
    { chunkSize: 700 * KIB, uploadDataDuringCreation: true },
    { chunkSize: MIB, uploadLengthDeferred: true },
    { overridePatchMethod: true },
  ]) {
    const room = newRoom();
    await uploadAll(server.url, bytes, { metadata: inRoom(room), ...options });
    assert.equal(sha256((await received(server.url, room)).bytes), sha256(bytes), JSON.stringify(options));
  }
});

test('parts that are sent in parallel are put together', async () => {
  const server = await start();
  const room = newRoom();
  const bytes = randomFile(SIZE);
  await uploadAll(server.url, bytes, { metadata: inRoom(room), parallelUploads: 3 });
  assert.equal(sha256((await received(server.url, room)).bytes), sha256(bytes));
});

test('an upload that was stopped goes on where it was, also in a client that only remembers its address', async () => {
  const server = await start();
  const room = newRoom();
  const bytes = randomFile(SIZE);
  const urlStorage = new FileUrlStorage(joinPath(mkdtempSync(joinPath(tmpdir(), 'roomdrop-tus-')), 'urls'));
  folders.push(urlStorage.path);
  const options = { metadata: inRoom(room), chunkSize: MIB, urlStorage };
  const stopped = new Promise((resolve) => {
    const first = upload(server.url, bytes, {
      ...options,
      seen: (accepted) => accepted >= 3 * MIB && resolve(first.client.abort()),
    });
    first.client.start();
  });
  await stopped;
  const second = upload(server.url, bytes, options);
  const [previous] = await second.client.findPreviousUploads();
  second.client.resumeFromPreviousUpload(previous);
  second.client.start();
  await second.uploaded();
  const asked = second.answers[0];
  assert.ok(Number(asked.getHeader('Upload-Offset')) >= 3 * MIB, 'it does not begin anew');
  assert.equal(sha256((await received(server.url, room)).bytes), sha256(bytes));
});

test('a link that breaks in the middle costs nothing that had come', async () => {
  const server = await start();
  const link = await startLink(server);
  const room = newRoom();
  const bytes = randomFile(24 * MIB);
  const it = upload(link.url, bytes, { metadata: inRoom(room) });
  it.client.start();
  for (const cut of [5 * MIB, 15 * MIB]) {
    await until('some of it is under way', () => link.up > cut);
    link.cut();
  }
  await it.uploaded();
  const heads = it.answers.filter((answer) => answer.getStatus() === 200);
  const offsets = heads.map((answer) => Number(answer.getHeader('Upload-Offset')));
  assert.ok(offsets.length >= 2, 'it went on after each cut');
  assert.ok(offsets[0] > 0 && offsets.at(-1) > offsets[0], `it went on from ${offsets}`);
  assert.equal(sha256((await received(server.url, room)).bytes), sha256(bytes));
});

test('killed in the middle and started again, the server has all that it had acknowledged', async () => {
  const data = newFolder();
  const first = await start(data);
  const room = newRoom();
  const bytes = randomFile(80 * MIB);
  const it = upload(first.url, bytes, { metadata: inRoom(room), retryDelays: Array(100).fill(100) });
  it.client.start();
  const address = await until('it has begun', () => it.client.url);
  const promised = await until('some of it is safe', () => offsetOf(address));
  await first.kill();
  const second = await start(data, {}, { listen: `127.0.0.1:${first.port}` });
  await it.uploaded();
  const resumed = it.answers.find((answer) => answer.getHeader('Upload-Offset') > 0 && answer.getStatus() === 200);
  assert.ok(Number(resumed.getHeader('Upload-Offset')) >= promised);
  assert.equal(sha256((await received(second.url, room)).bytes), sha256(bytes));
});

test('killed between the last byte and the drop, the server makes the drop when it is asked', async () => {
  const data = newFolder();
  for (const round of [1, 2, 3]) {
    const first = await start(data);
    const room = newRoom();
    const bytes = randomFile(12 * MIB + round);
    const address = await begun(first.url, bytes.length, { 'Upload-Metadata': metadata(inRoom(room)) });
    assert.equal((await patch(address, 0, bytes.subarray(0, 10 * MIB))).status, 204);
    patch(address, 10 * MIB, bytes.subarray(10 * MIB)).catch(() => {});
    const records = joinPath(data, 'records', 'kept');
    if (round === 1) await until('it is written down', () => countBelow(records) > 0);
    await first.kill();
    const second = await start(data);
    const moved = address.replace(first.url, second.url);
    const offset = await offsetOf(moved);
    if (offset < bytes.length) assert.equal((await patch(moved, offset, bytes.subarray(offset))).status, 204);
    const { drop, bytes: got } = await received(second.url, room);
    assert.equal(sha256(got), sha256(bytes));
    const again = await join(second.url, room);
    assert.deepEqual(again.joined.drops.map((one) => one.drop), [drop.drop], 'there is one');
    closeAll();
    await second.kill();
  }
});

function countBelow(folder) {
  try {
    return readdirSync(folder, { recursive: true }).filter((name) => statSync(joinPath(folder, name)).isFile()).length;
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}

test('an upload that is given up is gone, and so is the drop of one that was whole', async () => {
  const data = newFolder();
  const server = await start(data);
  const bytes = randomFile(2 * MIB);
  const half = upload(server.url, bytes, { chunkSize: MIB, seen: () => half.client.abort(true) });
  half.client.start();
  const address = await until('it has begun', () => half.client.url);
  await until('it is gone', async () => (await head(address)).status === 404);
  const room = newRoom();
  const present = await join(server.url, room);
  const { url, transfer } = await uploadAll(server.url, bytes, { metadata: inRoom(room) });
  await present.rooms.inbox.next('drop:offered');
  await Upload.terminate(url);
  await present.state(transfer, 'cancelled');
  assert.equal((await head(url)).status, 404);
  for (const kind of ['records', 'manifests']) await until(`no ${kind} are left`, () => countBelow(joinPath(data, kind)) === 0);
});

test('without a room the file is had from the upload’s own address, whole or in part', async () => {
  const data = newFolder();
  const server = await start(data);
  const bytes = randomFile(SIZE);
  const half = await begun(server.url, 10);
  assert.deepEqual(await outcome(await fetch(half)), [404, 'not_found']);
  const { url } = await uploadAll(server.url, bytes, { metadata: { filename: 'ä b.png' }, chunkSize: 5 * MIB });
  const whole = await fetch(url);
  assert.equal(whole.status, 200);
  assert.match(whole.headers.get('Content-Disposition'), /^attachment;.*%C3%A4%20b\.png/);
  assert.equal(sha256(Buffer.from(await whole.arrayBuffer())), sha256(bytes));
  const part = await fetch(url, { headers: { Range: `bytes=${5 * MIB - 2}-${5 * MIB + 1}` } });
  assert.equal(part.status, 206);
  assert.equal(sha256(Buffer.from(await part.arrayBuffer())), sha256(bytes.subarray(5 * MIB - 2, 5 * MIB + 2)));
  const known = await fetch(url, { headers: { 'If-None-Match': whole.headers.get('ETag') } });
  assert.equal(known.status, 304);
  assert.equal((await fetch(url, { headers: { Range: `bytes=${SIZE}-` } })).status, 416);
  await Upload.terminate(url);
  assert.deepEqual(await outcome(await fetch(url)), [404, 'not_found']);
});

test('a room with a passphrase is opened by it, before any byte', async () => {
  const server = await start();
  const room = newRoom();
  const present = await join(server.url, room, { passphrase: 'open sesame' });
  const bytes = randomFile(1000);
  for (const headers of [{}, { 'Roomdrop-Passphrase': 'guessed' }]) {
    const refused = upload(server.url, bytes, { metadata: inRoom(room), headers });
    refused.client.start();
    await assert.rejects(refused.uploaded(), /403.*not_allowed/);
    assert.equal(refused.client.url, null);
  }
  const headers = { 'Roomdrop-Passphrase': 'open sesame' };
  const { drop } = await uploadAll(server.url, bytes, { metadata: inRoom(room), headers });
  await present.offered(drop);
});

test('a drop is the member’s whose key came with it', async () => {
  const server = await start();
  const room = newRoom();
  const [member, other] = [await join(server.url, room), await join(server.url, room)];
  const bytes = randomFile(1000);
  const headers = { 'Roomdrop-Key': member.key };
  const { drop, transfer } = await uploadAll(server.url, bytes, { metadata: inRoom(room), headers });
  assert.equal((await other.offered(drop)).from, member.id);
  ok(await member.rooms.ask('transfer:cancel', { transfer }));
  await other.state(transfer, 'cancelled');
});

test('hooks are asked about it, and told', async () => {
  let verdict = { status: 204 };
  const hook = await startReceiver((event) => (event.type === 'offered' ? verdict : {}));
  others.push(hook);
  const [judge, listener] = [{ ON: '["offered"]', VETO: 'true' }, { ON: '["offered", "stored"]' }];
  const settings = {};
  for (const [number, keys] of [judge, listener].entries()) {
    for (const [key, value] of Object.entries({ ...keys, URL: hook.url, SECRET })) settings[`HOOKS__${number}__${key}`] = value;
  }
  const data = newFolder();
  const server = await start(data, settings);
  const room = newRoom();
  const { drop, transfer } = await uploadAll(server.url, randomFile(1000), { metadata: inRoom(room) });
  const told = await until('it is told', () => hook.requests.find((event) => event.type === 'stored'));
  assert.equal(told.data.transfer, transfer);
  assert.ok(hook.requests.filter((event) => event.type === 'offered').every((event) => event.data.drop === drop));
  const address = await begun(server.url, 10, { 'Upload-Metadata': metadata(inRoom(newRoom())) });
  verdict = { status: 403, body: JSON.stringify({ msg: 'Not today.' }) };
  const before = countBelow(joinPath(data, 'manifests'));
  const last = await patch(address, 0, randomFile(10));
  assert.deepEqual(await outcome(last), [403, 'not_allowed']);
  assert.equal((await head(address)).status, 403);
  assert.equal(countBelow(joinPath(data, 'manifests')), before, 'nothing of it is kept');
  const refused = upload(server.url, randomFile(10), { metadata: inRoom(newRoom()) });
  refused.client.start();
  await assert.rejects(refused.uploaded(), /403/);
  assert.equal(refused.client.url, null, 'refused before a byte');
});

test('with two nodes over S3, an upload begins at one and goes on at the other', async () => {
  await startS3();
  const cluster = await startCluster({ nodes: 2, settings: { STORE__URL: 's3://bucket/tus' } });
  servers.push(cluster);
  await cluster.ready();
  const [first, second] = cluster.nodes;
  const room = newRoom();
  const present = await join(second.url, room);
  const bytes = randomFile(SIZE);
  const address = await begun(first.url, SIZE, { 'Upload-Metadata': metadata(inRoom(room)) });
  assert.equal((await patch(address, 0, bytes.subarray(0, 5 * MIB))).status, 204);
  const there = address.replace(first.url, second.url);
  assert.equal(await offsetOf(there), 5 * MIB);
  const both = await Promise.all([address, there].map((at) => patch(at, 5 * MIB, bytes.subarray(5 * MIB, 6 * MIB))));
  const statuses = both.map(({ status }) => status).sort();
  assert.equal(statuses[0], 204);
  assert.ok([204, 409].includes(statuses[1]), `the other was told ${statuses[1]}`);
  assert.equal(await offsetOf(there), 6 * MIB);
  await first.kill();
  const it = upload(second.url, bytes, { uploadUrl: there });
  it.client.start();
  await it.uploaded();
  const offered = await present.rooms.inbox.next('drop:offered');
  await finish(await present.receive(offered.transfers[0].transfer), bytes);
});
