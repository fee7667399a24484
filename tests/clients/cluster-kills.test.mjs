// kill -9 of nodes in the middle of transfers. Clients come back at another node by themselves; bytes move
// again within 3 s, no more than two windows are sent again, and every file is whole.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, test } from 'node:test';
import { askedAgain } from './harness/again.mjs';
import { MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { arrives, enter, watch } from './harness/cluster-people.mjs';
import { curl, download } from './harness/curl.mjs';
import { ok, refused } from './harness/envelope.mjs';
import { newRoom } from './harness/people.mjs';
import { Source } from './harness/source.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 96 * MIB + 7;
const THIRD = Math.floor(SIZE / 3);
const WINDOW = 8 * MIB;
const SINK_WINDOW = 2 * MIB;
const BUDGET = 64;
/** MiB of a node beyond what transfers hold: the program, its connections, and what the allocator keeps. */
const BESIDES = 160;
const MOVES_WITHIN = 3000;
const [A, B, C, D] = [0, 1, 2, 3];

const folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-kills-'));
after(() => {
  closeAll();
  rmSync(folder, { recursive: true, force: true });
});

// Each row says which nodes die, and what of the design it needs.
const KILLS = [
  ['the sender\'s node', [A]], // take-over of the home: the epoch, and the record in Redis.
  ['a receiver\'s node', [B]], // another edge attaches to the home.
  ['the nodes of both', [A, B]], // both at once.
  ['the nodes of both, one after the other', [A], [B]],
];

for (const [what, ...kills] of KILLS) {
  test(`${what}: killed, and the transfer goes on elsewhere`, async (t) => {
    const { cluster, sender, receiver } = await started(t);
    const bytes = randomFile(SIZE);
    const { transfer, source } = await sender.send(bytes);
    const sink = await receiver.receive(transfer);
    for (const [step, dead] of kills.entries()) {
      await sink.reaches(((step + 1) * SIZE) / 4);
      const moved = watch(transfer, source, sink);
      const since = Date.now();
      await Promise.all(dead.map((at) => cluster.nodes[at].kill()));
      const took = await moved(since);
      t.diagnostic(`bytes moved again after ${took} ms`);
      assert.ok(took < MOVES_WITHIN, `bytes moved again only after ${took} ms`);
    }
    await arrives(sink, bytes);
    await sender.state(transfer, 'complete');
    const again = source.uploaded - SIZE;
    t.diagnostic(`sent again: ${again} bytes, received again: ${sink.downloaded - SIZE}; ${askedAgain()}`);
    assert.ok(again <= kills.length * 2 * WINDOW, `${again} bytes were sent again`);
    assert.ok(sink.downloaded - SIZE <= kills.length * 2 * SINK_WINDOW, 'received again too much');
    assertWellAfter(cluster, [sender, receiver], [source]);
  });
}

test('sender and receiver at one node that is killed meet at another', async (t) => {
  const { cluster, room } = await started(t);
  const sender = await enter(cluster.urls(A), room);
  const receiver = await enter([cluster.urls(A)[0], ...cluster.urls(C)], room);
  const bytes = randomFile(SIZE);
  const { transfer, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  await sink.reaches(THIRD);
  const moved = watch(transfer, source, sink);
  const since = Date.now();
  await cluster.nodes[A].kill();
  const took = await moved(since);
  assert.ok(took < MOVES_WITHIN, `bytes moved again only after ${took} ms`);
  await arrives(sink, bytes);
  t.diagnostic(`moved again after ${took} ms; sent again: ${source.uploaded - SIZE}; ${askedAgain()}`);
  assert.ok(source.uploaded - SIZE <= 2 * WINDOW, `${source.uploaded - SIZE} bytes were sent again`);
  assertWellAfter(cluster, [sender, receiver], [source]);
});

test('three receivers, and the nodes of the sender and of one of them are killed', async (t) => {
  const { cluster, room, sender, receiver, stay } = await started(t);
  const neighbour = await enter([cluster.nodes[D].url], room);
  const bytes = randomFile(SIZE);
  const { transfer, source } = await sender.send(bytes);
  const sinks = await Promise.all([receiver, stay, neighbour].map((person) => person.receive(transfer)));
  await sinks[0].reaches(THIRD);
  await Promise.all([A, B].map((at) => cluster.nodes[at].kill()));
  await Promise.all(sinks.map((sink) => arrives(sink, bytes)));
  await sender.state(transfer, 'complete');
  // Whoever lost a node is behind those who did not, and may have to be served for itself.
  t.diagnostic(`sent again: ${source.uploaded - SIZE} bytes; ${askedAgain()}`);
  assert.ok(source.uploaded < 2 * SIZE + 2 * WINDOW, `${source.uploaded} bytes were sent`);
  assertWellAfter(cluster, [sender, receiver, stay, neighbour], [source]);
});

test('every node dies once while a transfer runs, and comes back', async (t) => {
  const { cluster, sender, receiver } = await started(t);
  const bytes = randomFile(SIZE);
  const { transfer, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  for (const [step, node] of cluster.nodes.entries()) {
    await sink.reaches(((step + 1) * SIZE) / 6);
    await node.kill();
    await node.start();
  }
  await arrives(sink, bytes);
  t.diagnostic(`sent again: ${source.uploaded - SIZE}; ${askedAgain()}`);
  assertWellAfter(cluster, [sender, receiver], [source]);
});

test('a pause survives the death of the sender\'s node', async (t) => {
  const { cluster, sender, receiver } = await started(t);
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: THIRD });
  await sink.reaches(THIRD);
  assert.equal((await sender.rooms.ask('transfer:pause', { transfer })).code, 200);
  await receiver.state(transfer, 'paused');
  await cluster.nodes[A].kill();
  await sender.back();
  sink.go();
  const late = await enter(cluster.urls(D), sender.room);
  const state = async () => (await late.look()).drops[0].transfers[0].state;
  await until('it is paused again', async () => (await state()) === 'paused', state);
  assert.equal(sink.held, THIRD, 'bytes came while it was paused');
  assert.equal((await sender.rooms.ask('transfer:resume', { transfer })).code, 200);
  await arrives(sink, bytes);
});

test('what was offered before the node died is still there, and can be had when its sender is back', async (t) => {
  const { cluster, room, sender, receiver } = await started(t);
  const bytes = randomFile(MIB);
  const { drop, transfer } = await sender.send(bytes);
  await receiver.offered(drop);
  await cluster.nodes[A].kill();
  const late = await enter(cluster.urls(C), room);
  assert.deepEqual(
    late.joined.drops.map((each) => each.drop),
    [drop],
  );
  await sender.back();
  await arrives(await late.receive(transfer), bytes);
  await arrives(await receiver.receive(transfer), bytes);
});

// Needs: an offer is answered once its records are where others find them.
test('an offer of 200 files is answered, and its node dies at once: all of them can be had elsewhere', async (t) => {
  const { cluster, room, sender } = await started(t);
  const contents = Array.from({ length: 200 }, (_, index) => randomFile(index * 11));
  const files = contents.map((bytes, index) => ({ name: `${index}`, size: bytes.length }));
  const taken = await sender.offer(files);
  await cluster.nodes[A].kill();
  await sender.back();
  const source = new Source(sender.transfers);
  await Promise.all(taken.transfers.map((outgoing, index) => source.serve(outgoing, contents[index])));
  const late = await enter(cluster.urls(C), room);
  const { transfers } = ok(await late.rooms.ask('transfer:accept', { drop: taken.drop }));
  assert.equal(transfers.length, contents.length);
  const sinks = await Promise.all(transfers.map((each) => late.open(each)));
  await Promise.all(sinks.map((sink, index) => arrives(sink, contents[index])));
});

test('a completed file can still be had after its sender\'s node died', async (t) => {
  const { cluster, room, sender, receiver } = await started(t);
  const bytes = randomFile(MIB);
  const { transfer } = await sender.send(bytes);
  await arrives(await receiver.receive(transfer), bytes);
  await sender.state(transfer, 'complete');
  await cluster.nodes[A].kill();
  await sender.back();
  const late = await enter(cluster.urls(D), room);
  assert.equal(late.joined.drops[0].transfers[0].state, 'complete');
  await arrives(await late.receive(transfer), bytes);
});

test('a download whose node is killed goes on at another by Range', async (t) => {
  const { cluster, sender, receiver } = await started(t);
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const { url } = await receiver.accept(transfer);
  const path = joinPath(folder, 'download');
  const running = download(cluster.nodes[C].url + url, '--output', path, '--limit-rate', '30M');
  const size = () => readSize(path);
  await until('the download is in its middle', () => size() > THIRD);
  await cluster.nodes[C].kill();
  assert.notEqual(await running.ended, 0, 'curl was told that it has everything');
  const held = size();
  assert.ok(held < SIZE);
  const { status, body } = await curl(cluster.nodes[D].url + url, '--range', `${held}-`);
  assert.equal(status, 206);
  assert.equal(sha256(Buffer.concat([readFileSync(path), body])), sha256(bytes));
});

test('a download goes on by itself when the sender\'s node is killed', async (t) => {
  const { cluster, sender, receiver } = await started(t);
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const { url } = await receiver.accept(transfer);
  const path = joinPath(folder, 'live-download');
  const running = download(cluster.nodes[C].url + url, '--output', path);
  await until('the download is in its middle', () => readSize(path) > THIRD);
  await cluster.nodes[A].kill();
  assert.equal(await running.ended, 0);
  assert.equal(sha256(readFileSync(path)), sha256(bytes));
});

test('a sender that is gone for good with its node leaves a clear status: suspended, then expired', async (t) => {
  const settings = { TRANSFERS__STALL_TIMEOUT: '1s', TRANSFERS__LIFETIME: '6s', ROOMS__PRESENCE_GRACE: '1s' };
  const { cluster, sender, receiver } = await started(t, settings);
  const { transfer } = await sender.send(randomFile(SIZE));
  const sink = await receiver.receive(transfer, { stopAt: THIRD });
  await sink.reaches(THIRD);
  await cluster.nodes[A].kill();
  sender.vanish();
  sink.go();
  assert.equal((await receiver.state(transfer, 'suspended')).code, 101);
  const { code, data } = await receiver.state(transfer, 'failed');
  assert.deepEqual([code, data.error], [-1, 'expired']);
  refused(await receiver.rooms.ask('transfer:accept', { transfer }), 'transfer_closed', 'transfer_not_found');
});

test('a live stream that is lost with its node fails at once, for everyone, and says why', async (t) => {
  const { cluster, sender, receiver, stay } = await started(t);
  const { transfer } = await sender.send(randomFile(SIZE), { live: true, ready: SIZE });
  const sink = await receiver.receive(transfer, { stopAt: THIRD });
  await sink.reaches(THIRD);
  const since = Date.now();
  await cluster.nodes[A].kill();
  for (const person of [receiver, stay]) {
    const { data } = await person.state(transfer, 'failed');
    assert.equal(data.error, 'source_lost');
  }
  t.diagnostic(`it had failed after ${Date.now() - since} ms`);
  assert.ok(Date.now() - since < 10_000);
});

/**
 * Four nodes: a sender at the first, a receiver at the second, and one who stays at the third throughout. Who
 * loses a node goes to the third or fourth.
 */
async function started(t, settings = {}) {
  const cluster = await startCluster({ nodes: 4, settings: { MEMORY__BUDGET: `${BUDGET}MiB`, ...settings } });
  t.after(() => cluster.stop());
  const room = newRoom();
  const urls = cluster.nodes.map(({ url }) => url);
  const sender = await enter([urls[A], urls[D], urls[C]], room, { name: 'sender' });
  const receiver = await enter([urls[B], urls[C], urls[D]], room, { name: 'receiver' });
  const stay = await enter([urls[C]], room, { name: 'stays' });
  return { cluster, room, sender, receiver, stay };
}

function assertWellAfter(cluster, people, sources) {
  for (const person of people) assert.deepEqual(person.faults, [], 'could not come back into the room');
  for (const source of sources) assert.deepEqual(source.faults, []);
  for (const node of cluster.nodes) {
    if (!node.isAlive) continue;
    const { most } = node.server.memory();
    assert.ok(most < BUDGET + BESIDES, `node ${node.name} took ${most} MiB`);
  }
}

const readSize = (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
