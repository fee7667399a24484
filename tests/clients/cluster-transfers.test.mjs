// Three nodes and no fault: whoever is where, files arrive whole, and every word about them reaches those it
// is for, and nobody else.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll, connect } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { arrives, enter } from './harness/cluster-people.mjs';
import { curl, download } from './harness/curl.mjs';
import { assertLegalStatuses, ok, refused } from './harness/envelope.mjs';
import { newRoom } from './harness/people.mjs';
import { zipEntries } from './harness/python.mjs';
import { Sink } from './harness/sink.mjs';
import { Source } from './harness/source.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 12 * MIB + 5;
const [A, B, C] = [0, 1, 2];

let cluster;
let folder;
before(async () => {
  folder = mkdtempSync(joinPath(tmpdir(), 'roomdrop-cluster-'));
  const settings = { TRANSFERS__STALL_TIMEOUT: '500ms', ROOMS__PRESENCE_GRACE: '2s' };
  cluster = await startCluster({ nodes: 3, settings, cuttable: true });
});
after(async () => {
  closeAll();
  rmSync(folder, { recursive: true, force: true });
  await cluster?.stop();
});

test('a file offered at one node arrives at another, and both see how it goes', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { drop, transfer, source } = await sender.send(bytes);
  await receiver.offered(drop);
  const sink = await receiver.receive(transfer);
  await arrives(sink, bytes);
  for (const person of [sender, receiver]) {
    const { data } = await person.state(transfer, 'complete');
    assert.deepEqual(data.receivers, [{ member: receiver.id, state: 'complete', received: SIZE }]);
    assertLegalStatuses(person.statuses, transfer);
  }
  assert.equal(source.uploaded, SIZE, 'it was sent more than once');
});

test('receivers at all nodes get the file, and the sender does not send it for each of them', async () => {
  const { room, sender } = await two();
  const receivers = await Promise.all([A, B, B, C, C].map((at) => enter(cluster.urls(at), room)));
  const bytes = randomFile(SIZE);
  const { transfer, source } = await sender.send(bytes);
  const accepted = await Promise.all(receivers.map((receiver) => receiver.accept(transfer)));
  const sinks = await Promise.all(receivers.map((receiver, index) => receiver.open(accepted[index])));
  await Promise.all(sinks.map((sink) => arrives(sink, bytes)));
  const done = ({ receivers: all }) => all.filter((one) => one.state === 'complete').length === 5;
  for (const person of [sender, ...receivers]) await person.status(transfer, done, 'all five are complete');
  // Those who come a moment later ride along, or have a lane together.
  assert.ok(source.uploaded <= 2.2 * SIZE, `it sent ${source.uploaded} bytes of ${SIZE}`);
  assertLegalStatuses(sender.statuses, transfer);
});

test('files of 0 to 3 bytes arrive at another node', async () => {
  const { sender, receiver } = await two();
  for (const size of [0, 1, 2, 3]) {
    const bytes = randomFile(size);
    const { transfer } = await sender.send(bytes);
    await arrives(await receiver.receive(transfer), bytes);
    const { data } = await sender.state(transfer, 'complete');
    assert.equal(data.sent, size);
  }
});

test('a node that has no party to a transfer gets none of its bytes', async () => {
  const { sender, receiver } = await two();
  const before = cluster.nodes[C].redisLink.down;
  const bytes = randomFile(4 * SIZE);
  const { transfer } = await sender.send(bytes);
  await arrives(await receiver.receive(transfer), bytes);
  const got = cluster.nodes[C].redisLink.down - before;
  assert.ok(got < 512 * KIB, `it got ${got} bytes from Redis`);
});

test('a token is good at any node: accepted at one, opened at another, downloaded at a third', async () => {
  const { room, sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const accepted = await receiver.accept(transfer);
  const link = await connect(cluster.nodes[C].url);
  const sink = new Sink(link.transfers, accepted);
  await sink.open();
  await sink.whole();
  assert.equal(sha256(sink.bytes()), sha256(bytes));
  ok(await sink.done());
  await sender.receiverState(transfer, receiver, 'complete');
  const other = await enter(cluster.urls(A), room);
  const { url } = await other.accept(transfer);
  for (const node of cluster.nodes) {
    const { status, body, headers } = await curl(node.url + url);
    assert.equal(status, 200, node.name);
    assert.equal(headers['content-length'], String(SIZE));
    assert.equal(sha256(body), sha256(bytes), node.name);
  }
});

test('a part of a file is downloaded at another node', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const { url } = await receiver.accept(transfer);
  for (const [range, from, to] of [
    ['0-99', 0, 100],
    [`${5 * MIB + 1}-${6 * MIB}`, 5 * MIB + 1, 6 * MIB + 1],
    ['-10', SIZE - 10, SIZE],
  ]) {
    const { status, headers, body } = await curl(cluster.nodes[C].url + url, '--range', range);
    assert.equal(status, 206, range);
    assert.equal(headers['content-range'], `bytes ${from}-${to - 1}/${SIZE}`);
    assert.equal(sha256(body), sha256(bytes.subarray(from, to)), range);
  }
});

test('the ZIP of a drop is downloaded at another node, and its files arrive there one by one too', async () => {
  const { sender, receiver } = await two();
  const contents = Array.from({ length: 12 }, (_, index) => randomFile(index * 50_021));
  const files = contents.map((bytes, index) => ({ name: `${index}.bin`, path: 'many', size: bytes.length }));
  const taken = await sender.offer(files);
  const source = new Source(sender.transfers);
  await Promise.all(taken.transfers.map((outgoing, index) => source.serve(outgoing, contents[index])));
  const accepted = ok(await receiver.rooms.ask('transfer:accept', { drop: taken.drop }));
  const { status, body } = await curl(cluster.nodes[C].url + accepted.zip);
  assert.equal(status, 200);
  const path = joinPath(folder, 'drop.zip');
  writeFileSync(path, body);
  assert.deepEqual(
    (await zipEntries(path)).map(({ name, digest }) => [name, digest]),
    contents.map((bytes, index) => [`many/${index}.bin`, sha256(bytes)]),
  );
  const sinks = await Promise.all(accepted.transfers.map((each) => receiver.open(each)));
  await Promise.all(sinks.map((sink, index) => arrives(sink, contents[index])));
});

test('a sender that moves to a third node goes on there, and to the receiver\'s own', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(4 * SIZE);
  const { transfer, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  for (const [step, at] of [C, B, A].entries()) {
    await sink.reaches(((step + 1) * bytes.length) / 4);
    sender.moveTo(cluster.urls(at));
  }
  await arrives(sink, bytes);
  await receiver.state(transfer, 'complete');
  assertLegalStatuses(receiver.statuses, transfer);
  assert.deepEqual(source.faults, []);
});

test('a sender that opens at another node takes over at once, and the first is refused', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { transfer, token, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  const { lane } = source.pulls.at(-1);
  source.close();
  const link = await connect(cluster.nodes[C].url);
  await new Source(link.transfers).serve({ transfer, token }, bytes);
  sink.go(2 * MIB);
  await sink.reaches(2 * MIB);
  refused(
    await sender.transfers.ask('chunk', { transfer, lane, offset: 2 * MIB }, randomFile(1000)),
    'unexpected_chunk',
    'transfer_not_found',
    'not_allowed',
  );
  sink.go();
  await arrives(sink, bytes);
});

test('a receiver that moves from node to node goes on from what it holds', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(4 * SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  for (const [step, at] of [C, A, B].entries()) {
    await sink.reaches(((step + 1) * bytes.length) / 4);
    receiver.moveTo(cluster.urls(at));
  }
  await arrives(sink, bytes);
  const { data } = await sender.state(transfer, 'complete');
  assert.deepEqual(
    data.receivers.map(({ member, state }) => [member, state]),
    [[receiver.id, 'complete']],
  );
});

test('both move at the same time, again and again', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(4 * SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  for (let step = 1; step <= 6; step += 1) {
    await sink.reaches((step * bytes.length) / 8);
    sender.moveTo(cluster.urls(step));
    receiver.moveTo(cluster.urls(step + (step % 2)));
  }
  await arrives(sink, bytes);
});

test('the sender pauses, resumes and cancels, and another node\'s receivers obey', async () => {
  const { sender, receiver } = await two();
  const { transfer } = await sender.send(randomFile(SIZE));
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  ok(await sender.rooms.ask('transfer:pause', { transfer }));
  await receiver.state(transfer, 'paused');
  sink.go(3 * MIB);
  await quiet(sender, receiver);
  assert.equal(sink.held, MIB, 'bytes came while it was paused');
  ok(await sender.rooms.ask('transfer:resume', { transfer }));
  await sink.reaches(3 * MIB);
  ok(await sender.rooms.ask('transfer:cancel', { transfer }));
  for (const person of [sender, receiver]) await person.state(transfer, 'cancelled');
  refused(await receiver.rooms.ask('transfer:accept', { transfer }), 'transfer_closed');
  assertLegalStatuses(receiver.statuses, transfer);
});

test('a receiver at another node pauses, resumes and cancels its own part alone', async () => {
  const { room, sender, receiver } = await two();
  const other = await enter(cluster.urls(C), room);
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  ok(await receiver.rooms.ask('transfer:pause', { transfer }));
  await sender.receiverState(transfer, receiver, 'paused');
  sink.go(3 * MIB);
  await arrives(await other.receive(transfer), bytes);
  assert.equal(sink.held, MIB, 'bytes came while it was paused');
  ok(await receiver.rooms.ask('transfer:resume', { transfer }));
  await sink.reaches(3 * MIB);
  ok(await receiver.rooms.ask('transfer:cancel', { transfer }));
  await sender.receiverState(transfer, receiver, 'cancelled');
  await other.receiverState(transfer, receiver, 'cancelled');
  const last = () => sender.statuses.at(-1).data;
  await until('it is complete', () => last().state === 'complete');
  assert.equal(last().receivers.find(({ member }) => member === other.id).state, 'complete');
});

test('a rejection at another node is seen, and a file that is gone fails for all', async () => {
  const { room, sender, receiver } = await two();
  const other = await enter(cluster.urls(C), room);
  const { transfer } = await sender.send(randomFile(SIZE));
  ok(await other.rooms.ask('transfer:reject', { transfer, reason: 'no, thank you' }));
  await sender.receiverState(transfer, other, 'rejected');
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  ok(await sender.transfers.ask('source:fail', { transfer, reason: 'the file has changed' }));
  for (const person of [sender, receiver, other]) await person.state(transfer, 'failed');
  refused(await receiver.rooms.ask('transfer:accept', { transfer }), 'transfer_closed');
});

test('the sender\'s digest reaches another node, and a wrong one of a receiver is found out', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(2 * MIB);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  ok(await sender.transfers.ask('source:end', { transfer, digest: sha256(bytes) }));
  await sink.whole();
  await until('the digest has come', () => sink.end?.digest === sha256(bytes));
  refused(await sink.done(sha256('something else')), 'digest_mismatch');
  await arrives(await receiver.receive(transfer, { lane: sink.lane }), bytes);
  await sender.state(transfer, 'complete');
});

test('a live stream arrives at another node as it is made', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { transfer, source } = await sender.send(bytes, { live: true });
  const sink = await receiver.receive(transfer);
  source.feed(transfer, 1000);
  await sink.reaches(1000);
  source.feed(transfer, SIZE);
  await sink.reaches(SIZE);
  ok(await sender.transfers.ask('source:end', { transfer, size: SIZE, digest: sha256(bytes) }));
  await arrives(sink, bytes);
  assert.deepEqual(sink.end, { transfer, size: SIZE, digest: sha256(bytes) });
  await sender.state(transfer, 'complete');
  assert.equal(source.uploaded, SIZE, 'a live stream is sent once');
});

test('who comes after the end, at a third node, gets the file all the same', async () => {
  const { room, sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { drop, transfer } = await sender.send(bytes);
  await arrives(await receiver.receive(transfer), bytes);
  await sender.state(transfer, 'complete');
  const late = await enter(cluster.urls(C), room);
  assert.equal(late.joined.drops[0].drop, drop);
  assert.equal(late.joined.drops[0].transfers[0].state, 'complete');
  await arrives(await late.receive(transfer), bytes);
  await sender.receiverState(transfer, late, 'complete');
});

test('a drop for some is told to them alone, wherever they and the others are', async () => {
  const { room, sender, receiver } = await two();
  const others = await Promise.all([A, B, C].map((at) => enter(cluster.urls(at), room)));
  const bytes = randomFile(MIB);
  const { drop, transfer } = await sender.send(bytes, { to: [receiver.id] });
  await receiver.offered(drop);
  await arrives(await receiver.receive(transfer), bytes);
  await sender.state(transfer, 'complete');
  const late = await enter(cluster.urls(C), room);
  assert.deepEqual(late.joined.drops, []);
  const open = await sender.offer([{ name: 'for all', size: 1 }]);
  for (const other of others) {
    await other.offered(open.drop);
    assert.ok(!JSON.stringify(other.rooms.inbox.all('drop:offered')).includes(drop));
    assert.ok(!other.statuses.some(({ data }) => data.transfer === transfer), 'it heard how it goes');
    assert.equal((await other.rooms.ask('transfer:accept', { transfer })).code, -1);
  }
});

test('a download that stands still at another node holds neither the sender nor the others', async () => {
  const { room, sender, receiver } = await two();
  const bytes = randomFile(8 * SIZE);
  const { transfer, source } = await sender.send(bytes);
  const { url } = await receiver.accept(transfer);
  const slow = download(cluster.nodes[B].url + url, '--limit-rate', '200k', '--output', joinPath(folder, 'slow'));
  await until('the slow one has begun', () => source.uploaded > 0);
  const other = await enter(cluster.urls(B), room);
  await arrives(await other.receive(transfer), bytes);
  for (const { name, server } of cluster.nodes) {
    const { most } = server.memory();
    assert.ok(most < 300, `node ${name} took ${most} MiB`);
  }
  slow.kill();
  await slow.ended;
});

/** Once words have gone from each to the other: what was under way before them has come. */
async function quiet(...people) {
  for (let round = 0; round < 5; round += 1) {
    for (const person of people) {
      const id = await person.say(`round ${round}`);
      for (const other of people) await other.rooms.inbox.next('room:message', (message) => message.id === id);
    }
  }
}

/** A sender and a receiver at different nodes. */
async function two() {
  const room = newRoom();
  return {
    room,
    sender: await enter(cluster.urls(A), room, { name: 'sender' }),
    receiver: await enter(cluster.urls(B), room, { name: 'receiver' }),
  };
}
