// One upload, many receivers: each at its own pace, each with a will of its own, and a sender who may change
// its mind.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll, connect } from './harness/clients.mjs';
import { assertLegalStatuses, ok, refused } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { Sink } from './harness/sink.mjs';
import { Source } from './harness/source.mjs';
import { until } from './harness/wait.mjs';

let server;
before(async () => {
  server = await startServer({ TRANSFERS__STRAGGLER_PATIENCE: '200ms', TRANSFERS__STALL_TIMEOUT: '500ms' });
});
after(async () => {
  closeAll();
  await server?.stop();
});

test('eight receivers get the file, and the sender sends it about once', async () => {
  // With the patience it has by default: on a busy machine anyone may be late for less.
  const calm = await startServer();
  const { sender, receivers } = await people(8, calm);
  const bytes = randomFile(8 * MIB + 3);
  const { transfer, source } = await sender.send(bytes);
  const accepted = await Promise.all(receivers.map((receiver) => receiver.accept(transfer)));
  const sinks = receivers.map((receiver, index) => {
    return new Sink(receiver.transfers, accepted[index], { window: (index + 1) * 256 * KIB });
  });
  await Promise.all(sinks.map((sink) => sink.open()));
  await Promise.all(sinks.map((sink) => finish(sink, bytes)));
  await sender.status(transfer, (data) => everyone(data, 8, 'complete'), 'all eight are complete');
  assertLegalStatuses(sender.statuses, transfer);
  assert.ok(source.uploaded < 1.5 * bytes.length, `sent ${source.uploaded} bytes of ${bytes.length}`);
  for (const person of [sender, ...receivers]) person.vanish();
  await calm.stop();
});

test('a slow receiver does not hold the fast ones, and gets all of it in its own time', async () => {
  const { sender, receivers } = await people(3);
  const [slow, ...fast] = receivers;
  const bytes = randomFile(20 * MIB + 1);
  const { transfer } = await sender.send(bytes);
  const slowSink = await slow.receive(transfer, { stopAt: 300 * KIB });
  const fastSinks = await Promise.all(fast.map((receiver) => receiver.receive(transfer)));
  await Promise.all(fastSinks.map((sink) => finish(sink, bytes)));
  await slowSink.reaches(300 * KIB);
  assert.equal(slowSink.held, 300 * KIB, 'no byte comes that was not pulled');
  slowSink.go();
  await finish(slowSink, bytes);
  await sender.state(transfer, 'complete');
});

test('a receiver that reads nothing more from its link does not hold the others', async () => {
  const { sender, receivers } = await people(2);
  const [stuck, fast] = receivers;
  const bytes = randomFile(20 * MIB + 1);
  const { transfer } = await sender.send(bytes);
  const stuckSink = await stuck.receive(transfer);
  await stuckSink.reaches(1);
  const tcp = stuck.link.manager.engine.transport.ws._socket;
  tcp.pause();
  await finish(await fast.receive(transfer), bytes);
  tcp.resume();
  await finish(stuckSink, bytes);
});

test('who accepts after the transfer is complete gets all of it too', async () => {
  const { sender, receivers } = await people(2);
  const [first, late] = receivers;
  const bytes = randomFile(3 * MIB + 1);
  const { transfer } = await sender.send(bytes);
  await finish(await first.receive(transfer), bytes);
  await sender.state(transfer, 'complete');
  await finish(await late.receive(transfer), bytes);
  await sender.status(transfer, (data) => everyone(data, 2, 'complete'), 'both are complete');
  assertLegalStatuses(sender.statuses, transfer);
});

test('who comes into the room later can accept what was offered before', async () => {
  const { sender, room } = await people(0);
  const bytes = randomFile(100 * KIB);
  const { drop, transfer } = await sender.send(bytes);
  const late = await join(server.url, room);
  assert.equal(late.joined.drops[0].drop, drop);
  await finish(await late.receive(transfer), bytes);
});

test('the sender pauses, and nothing more comes until it resumes', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(6 * MIB);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  assert.deepEqual(ok(await sender.rooms.ask('transfer:pause', { transfer })), {});
  await receiver.state(transfer, 'paused');
  sink.go();
  await quiet(sender, receiver);
  assert.equal(sink.held, MIB, 'bytes came while it was paused');
  assert.deepEqual(ok(await sender.rooms.ask('transfer:resume', { transfer })), {});
  await receiver.state(transfer, 'active');
  await finish(sink, bytes);
  await sender.state(transfer, 'complete');
  assertLegalStatuses(receiver.statuses, transfer);
});

test('a receiver pauses its own part alone', async () => {
  const { sender, receivers } = await people(2);
  const [waiting, other] = receivers;
  const bytes = randomFile(6 * MIB);
  const { transfer } = await sender.send(bytes);
  const sink = await waiting.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  ok(await waiting.rooms.ask('transfer:pause', { transfer }));
  await sender.receiverState(transfer, waiting, 'paused');
  sink.go();
  await finish(await other.receive(transfer), bytes);
  assert.equal(sink.held, MIB, 'bytes came while it was paused');
  assert.ok(!sender.statuses.some(({ data }) => data.transfer === transfer && data.state === 'paused'));
  ok(await waiting.rooms.ask('transfer:resume', { transfer }));
  await finish(sink, bytes);
  await sender.state(transfer, 'complete');
});

test('the sender cancels, and it is over for everyone', async () => {
  const { sender, receivers } = await people(2);
  const [active, invited] = receivers;
  const { transfer, token } = await sender.send(randomFile(6 * MIB));
  const accepted = await active.accept(transfer);
  const sink = new Sink(active.transfers, accepted, { stopAt: MIB });
  await sink.open();
  await sink.reaches(MIB);
  ok(await sender.rooms.ask('transfer:cancel', { transfer }));
  for (const person of [sender, ...receivers]) await person.state(transfer, 'cancelled');
  sink.go();
  refused(await invited.rooms.ask('transfer:accept', { transfer }), 'transfer_closed');
  refused(await active.transfers.ask('sink:open', { token: accepted.token }), 'transfer_closed');
  refused(await sender.transfers.ask('source:open', { token }), 'transfer_closed');
  refused(await sink.done(), 'transfer_closed', 'not_allowed');
  assert.equal(sink.held, MIB);
  assertLegalStatuses(invited.statuses, transfer);
});

test('a receiver cancels its own part alone', async () => {
  const { sender, receivers } = await people(2);
  const [leaving, staying] = receivers;
  const bytes = randomFile(6 * MIB);
  const { transfer } = await sender.send(bytes);
  const sink = await leaving.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  ok(await leaving.rooms.ask('transfer:cancel', { transfer }));
  await sender.receiverState(transfer, leaving, 'cancelled');
  await finish(await staying.receive(transfer), bytes);
  const done = await sender.state(transfer, 'complete');
  const states = new Map(done.data.receivers.map((receiver) => [receiver.member, receiver.state]));
  assert.equal(states.get(leaving.id), 'cancelled');
  assert.equal(states.get(staying.id), 'complete');
});

test('who cancelled or rejected may still accept', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(MIB);
  const { transfer } = await sender.send(bytes);
  ok(await receiver.rooms.ask('transfer:reject', { transfer, reason: 'not now' }));
  await sender.receiverState(transfer, receiver, 'rejected');
  const sink = await receiver.receive(transfer, { stopAt: 100 });
  await sink.reaches(100);
  ok(await receiver.rooms.ask('transfer:cancel', { transfer }));
  await sender.receiverState(transfer, receiver, 'cancelled');
  await finish(await receiver.receive(transfer, { lane: sink.lane }), bytes);
  await sender.state(transfer, 'complete');
});

test('a rejection of a whole drop is seen on each of its transfers', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const { drop, transfers } = await sender.offer([1, 2].map((n) => ({ name: `${n}.txt`, size: n })));
  assert.deepEqual(ok(await receiver.rooms.ask('transfer:reject', { drop, reason: 'no, thank you' })), {});
  for (const { transfer } of transfers) await sender.receiverState(transfer, receiver, 'rejected');
});

test('files of 0 to 3 bytes arrive whole', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  for (const size of [0, 1, 2, 3]) {
    const bytes = randomFile(size);
    const { transfer } = await sender.send(bytes, { name: `${size} bytes` });
    const sink = await receiver.receive(transfer);
    await finish(sink, bytes);
    const { data } = await sender.state(transfer, 'complete');
    assert.equal(data.size, size);
    assert.equal(data.sent, size);
  }
});

test('200 files are accepted as one drop, opened at once and all arrive', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const contents = Array.from({ length: 200 }, (_, index) => randomFile(index * 211));
  const files = contents.map((bytes, index) => ({
    name: `${index}.bin`,
    path: 'many/files',
    size: bytes.length,
  }));
  const taken = await sender.offer(files);
  assert.deepEqual(
    taken.transfers.map(({ name }) => name),
    files.map(({ name }) => name),
  );
  const source = new Source(sender.transfers);
  await Promise.all(taken.transfers.map((outgoing, index) => source.serve(outgoing, contents[index])));
  const accepted = ok(await receiver.rooms.ask('transfer:accept', { drop: taken.drop }));
  assert.equal(typeof accepted.zip, 'string');
  assert.deepEqual(
    accepted.transfers.map(({ transfer, name, size }) => ({ transfer, name, size })),
    taken.transfers.map(({ transfer, name }, index) => ({ transfer, name, size: contents[index].length })),
  );
  const sinks = accepted.transfers.map((each) => new Sink(receiver.transfers, each));
  await Promise.all(sinks.map((sink) => sink.open()));
  await Promise.all(sinks.map((sink, index) => finish(sink, contents[index])));
  for (const { transfer } of taken.transfers) await sender.state(transfer, 'complete');
});

test('an open with many tokens answers for each, good and bad', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const { transfers } = await sender.offer([1, 2].map((n) => ({ name: `${n}`, size: n })));
  const unknown = '0'.repeat(32);
  const accepted = await receiver.accept(transfers[0].transfer);
  const opened = ok(
    await sender.transfers.ask('source:open', {
      tokens: [transfers[0].token, unknown, transfers[1].token, accepted.token],
    }),
  );
  assert.deepEqual(
    opened.transfers.map(({ transfer, size, error }) => error ?? { transfer, size }),
    [
      { transfer: transfers[0].transfer, size: 1 },
      'transfer_not_found',
      { transfer: transfers[1].transfer, size: 2 },
      'not_allowed',
    ],
  );
  const { chunk } = opened.transfers[0];
  assert.deepEqual(chunk, { min: 100 * KIB, max: 5 * MIB });
  const sinks = ok(
    await receiver.transfers.ask('sink:open', { tokens: [unknown, accepted.token] }),
  ).transfers;
  assert.deepEqual(sinks[0], { error: 'transfer_not_found' });
  assert.equal(sinks[1].transfer, accepted.transfer);
  assert.equal(sinks[1].name, '1');
});

test('the digest that the sender tells reaches the receiver, and a wrong one is found out', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(2 * MIB);
  const { transfer } = await sender.send(bytes, { type: 'image/png' });
  const digest = sha256(bytes);
  ok(await sender.transfers.ask('source:end', { transfer, digest }));
  const accepted = await receiver.accept(transfer);
  assert.equal(accepted.type, 'image/png');
  const sink = new Sink(receiver.transfers, accepted);
  const opened = await sink.open();
  assert.equal(opened.digest, digest);
  assert.equal(opened.type, 'image/png');
  await sink.whole();
  refused(await sink.done(sha256('something else')), 'digest_mismatch');
  const again = await receiver.receive(transfer, { lane: sink.lane });
  await finish(again, bytes);
  await sender.state(transfer, 'complete');
});

test('a chunk carries its digest on, when the sender gave one', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(1000);
  const { transfers } = await sender.offer([{ name: 'a', size: bytes.length }]);
  const [{ transfer, token }] = transfers;
  ok(await sender.transfers.ask('source:open', { token }));
  const { token: sinkToken } = await receiver.accept(transfer);
  ok(await receiver.transfers.ask('sink:open', { token: sinkToken, lane: 1, from: 0, limit: bytes.length }));
  const { lane } = await sender.transfers.inbox.next('pull', (pull) => pull.transfer === transfer);
  const head = { transfer, lane, offset: 0, digest: sha256(bytes) };
  assert.deepEqual(ok(await sender.transfers.ask('chunk', head, bytes), 100), { received: bytes.length });
  const got = await receiver.transfers.inbox.next('chunk');
  assert.deepEqual(got, { transfer, lane: 1, offset: 0, digest: head.digest });
});

test('a receiver may begin anywhere, and go back, by a new lane', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(4 * MIB);
  const { transfer } = await sender.send(bytes);
  const { token } = await receiver.accept(transfer);
  const range = async (lane, from, limit) => {
    const pieces = [];
    const take = (head, piece) => head.lane === lane && pieces.push([head.offset, Buffer.from(piece)]);
    receiver.transfers.socket.on('chunk', take);
    const got = () => pieces.reduce((sum, [, piece]) => sum + piece.length, 0);
    if (lane === 5) ok(await receiver.transfers.ask('sink:open', { token, lane, from, limit }));
    else receiver.transfers.tell('pull', { transfer, lane, from, limit });
    await until(
      `lane ${lane} has brought ${limit - from} bytes`,
      () => got() >= limit - from,
      () => `it has ${got()}`,
    );
    receiver.transfers.socket.off('chunk', take);
    assert.equal(pieces[0][0], from);
    assert.deepEqual(Buffer.concat(pieces.map(([, piece]) => piece)), bytes.subarray(from, limit));
  };
  await range(5, 3 * MIB + 11, 4 * MIB);
  await range(6, 17, MIB);
  await range(9, 2 * MIB, 2 * MIB + 1);
});

test('a file that changed while it was sent fails, for the reason that the sender gave', async () => {
  const { sender, receivers } = await people(2);
  const [receiver, late] = receivers;
  const { transfer } = await sender.send(randomFile(6 * MIB));
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  assert.deepEqual(
    ok(await sender.transfers.ask('source:fail', { transfer, reason: 'the file has changed' })),
    {},
  );
  for (const person of [sender, receiver]) {
    const { data } = await person.state(transfer, 'failed');
    assert.equal(data.error, 'source_failed');
  }
  refused(await late.rooms.ask('transfer:accept', { transfer }), 'transfer_closed', 'source_failed');
});

test('both namespaces hear the statuses of the transfers that were opened there', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(1000);
  const { transfer } = await sender.send(bytes);
  await finish(await receiver.receive(transfer), bytes);
  for (const { transfers } of [sender, receiver]) {
    const complete = ({ data }) => data.transfer === transfer && data.state === 'complete';
    await transfers.inbox.next('transfer:status', complete, 'complete, on /transfers');
  }
});

test('progress is told while bytes move, at most every half second', async () => {
  const { sender, receivers } = await people(1);
  const bytes = randomFile(64 * MIB);
  const { transfer } = await sender.send(bytes);
  const heard = [];
  sender.rooms.socket.on('transfer:status', ({ data }) => heard.push({ data, at: performance.now() }));
  const sink = await receivers[0].receive(transfer, { stopAt: 0 });
  const end = performance.now() + 1800;
  for (let offset = 64 * KIB; performance.now() < end && offset < bytes.length; offset += 64 * KIB) {
    sink.go(offset);
    await sink.reaches(offset);
  }
  const states = ({ data }) => JSON.stringify([data.state, data.receivers.map((receiver) => receiver.state)]);
  const progress = heard.filter((status, index) => index > 0 && states(status) === states(heard[index - 1]));
  assert.ok(progress.length >= 2, `${progress.length} times in 1.8 s`);
  for (const [index, { at }] of progress.entries()) {
    if (index > 0) assert.ok(at - progress[index - 1].at > 400, 'progress was told too often');
  }
  const { sent, receivers: parties, bytesPerSecond, etaSeconds } = progress.at(-1).data;
  assert.ok(parties[0].received > 0 && parties[0].received <= sent && sent <= bytes.length);
  assert.ok(bytesPerSecond > 0 && etaSeconds > 0, `${bytesPerSecond} bytes a second, ${etaSeconds} s left`);
  ok(await sender.rooms.ask('transfer:cancel', { transfer }));
});

test('who comes into a room hears how the transfers stand that are under way', async () => {
  const { room, sender, receivers } = await people(1);
  const { transfer } = await sender.send(randomFile(MIB));
  const sink = await receivers[0].receive(transfer, { stopAt: 1000 });
  await sink.reaches(1000);
  const late = await join(server.url, room);
  const { data } = await late.status(transfer, (status) => status.state === 'active', 'it is active');
  assert.ok(data.receivers.some(({ member }) => member === receivers[0].id));
});

test('a receiver may say twice that it has everything', async () => {
  const { sender, receivers } = await people(1);
  const bytes = randomFile(1000);
  const { transfer } = await sender.send(bytes);
  const sink = await receivers[0].receive(transfer);
  await finish(sink, bytes);
  ok(await sink.done());
  const opened = await sink.open();
  assert.equal(opened.size, bytes.length);
  ok(await sink.done());
  await sender.state(transfer, 'complete');
  assertLegalStatuses(sender.statuses, transfer);
});

test('who opens is told how the transfer stands, and its end when that is known', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(1000);
  const { transfer, token } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  await finish(sink, bytes);
  await sender.state(transfer, 'complete');
  const link = await connect(server.url);
  ok(await link.transfers.ask('source:open', { token }));
  const { code, data } = await link.transfers.inbox.next('transfer:status');
  assert.equal(code, 200);
  assert.equal(data.state, 'complete');
  assert.deepEqual(sink.end, { transfer, size: bytes.length });
});

test('a pull that is repeated or late does no harm, and one that cannot be is refused', async () => {
  const { sender, receivers } = await people(1);
  const [receiver] = receivers;
  const bytes = randomFile(MIB);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: 200 * KIB, lane: 4 });
  await sink.reaches(200 * KIB);
  const pull = (words) => receiver.transfers.ask('pull', { transfer, ...words });
  const [lane, held] = [sink.lane, sink.held];
  ok(await pull({ lane, from: held, limit: held }));
  ok(await pull({ lane, from: held, limit: held }), 200);
  ok(await pull({ lane, from: 0, limit: 1000 }));
  ok(await pull({ lane: lane - 1, from: 0, limit: MIB }));
  refused(await pull({ lane, from: held + 1, limit: MIB }), 'bad_request');
  refused(await pull({ lane: lane + 1, from: MIB + 1, limit: MIB + 2 }), 'bad_request');
  assert.equal(sink.held, held, 'more came than was pulled');
  sink.go();
  await finish(sink, bytes);
});

test('a token alone is enough to receive: another program may do it', async () => {
  const { sender, receivers } = await people(1);
  const bytes = randomFile(MIB);
  const { transfer } = await sender.send(bytes);
  const accepted = await receivers[0].accept(transfer);
  const { transfers } = await connect(server.url);
  const sink = new Sink(transfers, accepted);
  await sink.open();
  await finish(sink, bytes);
  await sender.receiverState(transfer, receivers[0], 'complete');
});

/** A sender and `count` receivers in a room of their own. */
async function people(count, { url } = server) {
  const room = newRoom();
  const sender = await join(url, room, { name: 'sender' });
  const names = Array.from({ length: count }, (_, index) => `receiver ${index}`);
  const receivers = await Promise.all(names.map((name) => join(url, room, { name })));
  return { room, sender, receivers };
}

/** A few words to and fro on every link: what was on its way has come. */
async function quiet(...persons) {
  for (let round = 0; round < 3; round += 1) {
    for (const { transfers } of persons) await transfers.ask('sink:open', { token: 'none' });
  }
}

const everyone = (data, count, state) => data.receivers.filter((r) => r.state === state).length === count;
