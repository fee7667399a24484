// Drops that are kept: live for those who are there, and for whoever comes later from the copy, with or without
// their sender, before and after the server was killed.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { curl } from './harness/curl.mjs';
import { ok } from './harness/envelope.mjs';
import { filesBelow } from './harness/folder.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startS3 } from './harness/s3.mjs';
import { startNode } from './harness/server.mjs';
import { Source } from './harness/source.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 9 * MIB + 7;
const servers = [];
const clusters = [];
const folders = [];

after(async () => {
  closeAll();
  await Promise.all([...servers, ...clusters].map((server) => server.stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder() {
  const folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-kept-'));
  folders.push(folder);
  return joinPath(folder, 'data');
}

async function start(data, settings = {}) {
  const server = await startNode({ STORE__URL: `file:${data}`, ...settings });
  servers.push(server);
  return server;
}

/** Offers one file to be kept and serves it. */
async function keep(sender, bytes, { name = 'kept.bin', live = false, chunk } = {}) {
  const taken = await sender.offer([{ name, size: live ? null : bytes.length }], { keep: true });
  const source = new Source(sender.transfers, { chunk });
  await source.serve(taken.transfers[0], bytes, { ready: live ? 0 : bytes.length });
  return { drop: taken.drop, ...taken.transfers[0], source };
}

const copyIs = (person, transfer, state) =>
  person.status(transfer, (data) => data.copy?.state === state, `its copy is ${state}`);

const get = (server, accepted, ...options) => curl(new URL(accepted.url, server.url).href, ...options);

test('a kept drop is live for those who are there, and there for whoever comes when its sender is gone', async () => {
  const server = await start(newFolder());
  const room = newRoom();
  const [sender, present] = [await join(server.url, room), await join(server.url, room)];
  const bytes = randomFile(SIZE);
  const { drop, transfer } = await keep(sender, bytes);
  assert.equal((await present.offered(drop)).keep, true);
  await finish(await present.receive(transfer), bytes);
  const { data } = await copyIs(sender, transfer, 'stored');
  assert.deepEqual(
    data.receivers.map(({ member }) => member),
    [present.id],
    'the copy counts as no receiver',
  );
  sender.vanish();
  present.vanish();
  const late = await join(server.url, room);
  const { copy } = late.joined.drops[0].transfers[0];
  assert.deepEqual(copy, data.copy, 'who comes later is told of it too');
  assert.ok(copy.until > Date.now() + 23 * 3600_000 && copy.until < Date.now() + 25 * 3600_000);
  await finish(await late.receive(transfer), bytes);
  const byHttp = await join(server.url, room);
  const accepted = await byHttp.accept(transfer);
  const whole = await get(server, accepted);
  assert.equal(sha256(whole.body), sha256(bytes));
  assert.match(whole.headers.etag, /^"blake3:[0-9a-f]{64}"$/);
  const part = await get(server, accepted, '--range', `${4 * MIB - 3}-${8 * MIB + 5}`);
  assert.equal(part.status, 206);
  assert.equal(sha256(part.body), sha256(bytes.subarray(4 * MIB - 3, 8 * MIB + 6)));
  const known = await get(server, accepted, '--header', `If-None-Match: ${whole.headers.etag}`);
  assert.equal(known.status, 304);
  for (const [tag, status] of [[whole.headers.etag, 206], ['"other"', 200]]) {
    const answer = await get(server, accepted, '--range', '5-9', '--header', `If-Range: ${tag}`);
    assert.equal(answer.status, status, tag);
  }
});

test('nobody need be there: the copy is made for whoever comes', async () => {
  const server = await start(newFolder());
  const room = newRoom();
  const sender = await join(server.url, room);
  const bytes = randomFile(300 * KIB);
  const { transfer } = await keep(sender, bytes);
  await copyIs(sender, transfer, 'stored');
  sender.vanish();
  const late = await join(server.url, room);
  await finish(await late.receive(transfer), bytes);
});

test('a sender that is connected and silent is done without', async () => {
  const server = await start(newFolder(), { TRANSFERS__STALL_TIMEOUT: '300ms' });
  const room = newRoom();
  const sender = await join(server.url, room);
  // More than a relay holds, or it would need nobody.
  const bytes = randomFile(20 * MIB);
  const { transfer, token, source } = await keep(sender, bytes);
  await copyIs(sender, transfer, 'stored');
  source.close();
  const late = await join(server.url, room);
  await finish(await late.receive(transfer), bytes);
  ok(await sender.transfers.ask('source:open', { token }));
});

test('after kill -9 and a new start the drop is listed again, can be had, and is still its sender’s', async () => {
  const data = newFolder();
  const first = await start(data);
  const room = newRoom();
  const sender = await join(first.url, room, { name: 'Ann' });
  const other = await join(first.url, room);
  const bytes = randomFile(SIZE);
  const everyone = await keep(sender, bytes, { name: 'für alle.bin' });
  const files = [{ name: 'secret.bin', size: 100 }];
  const hidden = await sender.offer(files, { keep: true, to: [other.id] });
  await new Source(sender.transfers).serve(hidden.transfers[0], randomFile(100));
  await copyIs(sender, everyone.transfer, 'stored');
  await copyIs(sender, hidden.transfers[0].transfer, 'stored');
  await first.kill();
  closeAll();
  const second = await start(data);
  const late = await join(second.url, room);
  assert.deepEqual(late.joined.drops.map(({ drop }) => drop), [everyone.drop], 'what was addressed stays so');
  const [listed] = late.joined.drops;
  assert.equal(listed.from, sender.id);
  assert.equal(listed.transfers[0].name, 'für alle.bin');
  assert.equal(listed.transfers[0].size, SIZE);
  assert.equal(listed.transfers[0].copy.state, 'stored');
  await finish(await late.receive(everyone.transfer), bytes);
  const addressed = await join(second.url, room, { key: other.key });
  assert.equal(addressed.joined.drops.length, 2);
  const back = await join(second.url, room, { key: sender.key });
  ok(await back.rooms.ask('transfer:cancel', { transfer: everyone.transfer }));
  await late.state(everyone.transfer, 'cancelled');
  await until('the copy is deleted', () => !filesBelow(data).some((name) => name.includes(everyone.transfer)));
});

test('a room with a passphrase has it again after a new start', async () => {
  const data = newFolder();
  const first = await start(data);
  const room = newRoom();
  const sender = await join(first.url, room, { passphrase: 'open sesame' });
  const { transfer } = await keep(sender, randomFile(1000));
  await copyIs(sender, transfer, 'stored');
  await first.kill();
  closeAll();
  const second = await start(data);
  await assert.rejects(join(second.url, room), /not_allowed/);
  const late = await join(second.url, room, { passphrase: 'open sesame' });
  assert.equal(late.joined.drops.length, 1);
});

test('killed while storing, the server keeps what it said is stored and nothing else', async () => {
  const data = newFolder();
  const all = [];
  for (const round of [1, 2, 3]) {
    const server = await start(data);
    const room = newRoom();
    const sender = await join(server.url, room);
    const whole = randomFile(5 * MIB + round);
    const stored = await keep(sender, whole);
    await copyIs(sender, stored.transfer, 'stored');
    const under = await keep(sender, randomFile(64 * MIB), { chunk: MIB });
    await until('half of it is sent', () => under.source.uploaded > (10 + 7 * round) * MIB);
    await server.kill();
    closeAll();
    all.push(stored.transfer);
    assert.deepEqual(filesBelow(joinPath(data, 'manifests')).sort(), [...all].sort(), 'what is whole, and no half');
    const again = await start(data);
    const late = await join(again.url, room);
    assert.deepEqual(late.joined.drops.map(({ drop }) => drop), [stored.drop]);
    await finish(await late.receive(stored.transfer), whole);
    await again.kill();
    closeAll();
  }
});

test('a live stream that is kept can be had from its start, once all of it is stored', async () => {
  const server = await start(newFolder());
  const room = newRoom();
  const sender = await join(server.url, room);
  const bytes = randomFile(20 * MIB);
  const { transfer, source } = await keep(sender, bytes, { live: true });
  source.feed(transfer, bytes.length);
  await until('all of it is sent', () => source.uploaded === bytes.length);
  ok(await sender.transfers.ask('source:end', { transfer, size: bytes.length, digest: sha256(bytes) }));
  await copyIs(sender, transfer, 'stored');
  const late = await join(server.url, room);
  await finish(await late.receive(transfer), bytes);
  const accepted = await (await join(server.url, room)).accept(transfer);
  const part = await get(server, accepted, '--range', '-10');
  assert.equal(part.status, 206);
  assert.equal(sha256(part.body), sha256(bytes.subarray(-10)));
});

for (const place of ['a folder', 'S3']) {
  test(`with many nodes and ${place}, any node serves the copy, also when the one that stored it is gone`, async () => {
    const s3 = place === 'S3' ? await startS3() : null;
    const settings = s3 ? { STORE__URL: 's3://bucket/kept' } : { STORE__URL: `file:${newFolder()}` };
    const cluster = await startCluster({ nodes: 2, settings });
    clusters.push(cluster);
    await cluster.ready();
    const [first, second] = cluster.nodes;
    const room = newRoom();
    const [sender, other] = [await join(first.url, room), await join(second.url, room)];
    const bytes = randomFile(SIZE);
    const { drop, transfer } = await keep(sender, bytes);
    await other.offered(drop);
    await finish(await other.receive(transfer), bytes);
    await copyIs(other, transfer, 'stored');
    sender.vanish();
    const late = await join(second.url, room);
    await finish(await late.receive(transfer), bytes);
    await first.kill();
    const later = await join(second.url, room);
    await finish(await later.receive(transfer), bytes);
    const accepted = await (await join(second.url, room)).accept(transfer);
    const part = await get(second, accepted, '--range', '10-19');
    assert.equal(sha256(part.body), sha256(bytes.subarray(10, 20)));
  });
}

test('what is too large or for which there is no room is refused before any byte', async () => {
  const data = newFolder();
  const server = await start(data, { STORE__MAX_SIZE: '1MB', STORE__QUOTA: '1500kB' });
  const sender = await join(server.url, newRoom());
  const offer = (sizes) =>
    sender.rooms.ask('drop:offer', {
      room: sender.room,
      keep: true,
      files: sizes.map((size) => ({ name: 'a', size })),
    });
  assert.equal((await offer([1_000_001])).data.error, 'too_large');
  assert.equal((await offer([800_000, 800_000])).data.error, 'storage_full');
  ok(await offer([1_000_000]));
  assert.equal(filesBelow(data).length, 0);
  const live = await join(server.url, newRoom());
  const bytes = randomFile(2 * MIB);
  const { transfer, source } = await keep(live, bytes, { live: true });
  const receiver = await join(server.url, live.room);
  const sink = await receiver.receive(transfer);
  source.feed(transfer, bytes.length);
  const { data: told } = await copyIs(receiver, transfer, 'failed');
  assert.equal(told.copy.error, 'too_large');
  assert.match(told.copy.msg, /not kept/);
  ok(await live.transfers.ask('source:end', { transfer, size: bytes.length }));
  await finish(sink, bytes);
});

test('bytes that are not of the digest that the sender says are not kept', async () => {
  const server = await start(newFolder());
  const sender = await join(server.url, newRoom());
  const bytes = randomFile(1000);
  const { transfer, source } = await keep(sender, bytes, { live: true });
  source.feed(transfer, bytes.length);
  await until('all of it is sent', () => source.uploaded === bytes.length);
  const digest = sha256(randomFile(1000));
  ok(await sender.transfers.ask('source:end', { transfer, size: bytes.length, digest }));
  const { data } = await copyIs(sender, transfer, 'failed');
  assert.equal(data.copy.error, 'digest_mismatch');
});

test('a copy whose time is over is gone', async () => {
  const data = newFolder();
  const short = { STORE__LIFETIME: '1500ms', TRANSFERS__LIFETIME: '1s', TRANSFERS__STALL_TIMEOUT: '1s' };
  const server = await start(data, short);
  const sender = await join(server.url, newRoom());
  const { transfer } = await keep(sender, randomFile(1000));
  await copyIs(sender, transfer, 'stored');
  const { data: told } = await sender.state(transfer, 'failed');
  assert.equal(told.error, 'expired');
  await server.kill();
  closeAll();
  const again = await start(data, short);
  const late = await join(again.url, sender.room);
  assert.deepEqual(late.joined.drops, []);
});

test('a copy whose time is over while the server is down is not there when it is back', async () => {
  const data = newFolder();
  const short = { STORE__LIFETIME: '2s' };
  const first = await start(data, short);
  const sender = await join(first.url, newRoom());
  const { transfer } = await keep(sender, randomFile(1000));
  const { data: told } = await copyIs(sender, transfer, 'stored');
  await first.kill();
  closeAll();
  await until('its time is over', () => Date.now() > told.copy.until);
  assert.deepEqual(filesBelow(joinPath(data, 'manifests')), [transfer]);
  const late = await join((await start(data, short)).url, sender.room);
  assert.deepEqual(late.joined.drops, []);
});

test('a copy that nobody could find again is not made', async () => {
  const data = newFolder();
  const server = await start(data);
  const sender = await join(server.url, newRoom());
  const first = await keep(sender, randomFile(1000));
  await copyIs(sender, first.transfer, 'stored');
  // Where the records lie, there is a file: none can be written any more.
  rmSync(joinPath(data, 'records'), { recursive: true });
  writeFileSync(joinPath(data, 'records'), '');
  const { transfer } = await keep(sender, randomFile(1000));
  const { data: told } = await copyIs(sender, transfer, 'failed');
  assert.equal(told.copy.error, 'storage_unavailable');
  assert.deepEqual(filesBelow(joinPath(data, 'manifests')), [first.transfer]);
});

test('what is cancelled while it is being stored leaves no copy', async () => {
  const data = newFolder();
  const server = await start(data);
  const sender = await join(server.url, newRoom());
  for (let size = 1; size < 24; size += 1) {
    const bytes = randomFile(size * 20 * KIB);
    const { transfer, source } = await keep(sender, bytes);
    await until('all of it is sent', () => source.uploaded === bytes.length);
    ok(await sender.rooms.ask('transfer:cancel', { transfer }));
    source.close();
  }
  await server.terminate();
  assert.deepEqual(filesBelow(joinPath(data, 'manifests')), []);
  const late = await join((await start(data)).url, sender.room);
  assert.deepEqual(late.joined.drops, []);
});

test('a server that keeps nothing says so', async () => {
  const server = await start('', { STORE__URL: 'none' });
  const sender = await join(server.url, newRoom());
  const words = { room: sender.room, keep: true, files: [{ name: 'a', size: 1 }] };
  assert.equal((await sender.rooms.ask('drop:offer', words)).data.error, 'not_allowed');
});

test('a damaged copy gives out no byte, and fails in words', async () => {
  const data = newFolder();
  const first = await start(data);
  const sender = await join(first.url, newRoom());
  const { transfer } = await keep(sender, randomFile(1000));
  await copyIs(sender, transfer, 'stored');
  await first.kill();
  closeAll();
  for (const name of filesBelow(joinPath(data, 'chunks'))) {
    writeFileSync(joinPath(data, 'chunks', name), randomFile(1000));
  }
  const second = await start(data);
  const late = await join(second.url, sender.room);
  const sink = await late.receive(transfer);
  const { data: told } = await copyIs(late, transfer, 'failed');
  assert.equal(told.copy.error, 'source_failed');
  assert.equal(sink.held, 0);
});
