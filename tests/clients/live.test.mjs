// Sources whose size nobody knows beforehand and that cannot go back: a live stream begins once, ends when
// its sender says so, and is lost when its sender is.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll, connect } from './harness/clients.mjs';
import { assertLegalStatuses, ok, refused } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startProxy } from './harness/proxy.mjs';
import { startServer } from './harness/server.mjs';
import { Sink } from './harness/sink.mjs';
import { Source } from './harness/source.mjs';

// More than any window holds: its beginning is gone for good once so much has passed.
const LONG = 20 * MIB;

let server;
before(async () => {
  server = await startServer();
});
after(async () => {
  closeAll();
  await server?.stop();
});

test('a live stream arrives as it is made, and ends with its size and digest', async () => {
  const { sender, receivers } = await people(2);
  const bytes = randomFile(10 * MIB + 1);
  const { drop, transfer, source } = await sender.send(bytes, { live: true });
  const offer = await receivers[0].offered(drop);
  assert.equal(offer.transfers[0].size, null);
  const sinks = await Promise.all(receivers.map((receiver) => receiver.receive(transfer)));
  assert.equal(sinks[0].size, null);
  source.feed(transfer, 1000);
  await Promise.all(sinks.map((sink) => sink.reaches(1000)));
  source.feed(transfer, bytes.length);
  await Promise.all(sinks.map((sink) => sink.reaches(bytes.length)));
  for (const sink of sinks) assert.equal(sink.isWhole, false, 'its end is not known yet');
  const digest = sha256(bytes);
  assert.deepEqual(
    ok(await sender.transfers.ask('source:end', { transfer, size: bytes.length, digest })),
    {},
  );
  await Promise.all(sinks.map((sink) => finish(sink, bytes)));
  for (const sink of sinks) assert.deepEqual(sink.end, { transfer, size: bytes.length, digest });
  const { data } = await sender.state(transfer, 'complete');
  assert.equal(data.size, bytes.length);
  assert.equal(source.uploaded, bytes.length, 'a live stream is sent once');
  assertLegalStatuses(sender.statuses, transfer);
});

test('a live stream may turn out to be empty', async () => {
  const { sender, receivers } = await people(1);
  const { transfer } = await sender.send(Buffer.alloc(0), { live: true });
  const sink = await receivers[0].receive(transfer);
  ok(await sender.transfers.ask('source:end', { transfer, size: 0 }));
  await finish(sink, Buffer.alloc(0));
  await sender.state(transfer, 'complete');
});

test('who comes too late for a live stream is told so', async () => {
  const { sender, receivers } = await people(2);
  const [early, late] = receivers;
  const bytes = randomFile(LONG);
  const { transfer } = await sender.send(bytes, { live: true, ready: LONG });
  const sink = await early.receive(transfer);
  await sink.reaches(LONG);
  refused(await late.rooms.ask('transfer:accept', { transfer }), 'transfer_closed');
  ok(await sender.transfers.ask('source:end', { transfer, size: LONG }));
  await finish(sink, bytes);
  await sender.state(transfer, 'complete');
  refused(await late.rooms.ask('transfer:accept', { transfer }), 'transfer_closed');
});

test('who accepted a live stream in time and opens it too late is told so', async () => {
  const { sender, receivers } = await people(2);
  const [early, late] = receivers;
  const { transfer, source } = await sender.send(randomFile(LONG), { live: true });
  const accepted = await late.accept(transfer);
  const sink = await early.receive(transfer);
  source.feed(transfer, LONG);
  await sink.reaches(LONG);
  const tooLate = new Sink(late.transfers, accepted);
  await tooLate.open();
  const problem = await late.transfers.inbox.next('problem', () => true, 'that it is too late');
  assert.equal(problem.data.event, 'sink:open');
  refused(problem, 'transfer_closed');
  await late.status(
    transfer,
    ({ receivers: all }) => all.some(({ member, state }) => member === late.id && state === 'failed'),
    'it has failed for the one that was too late',
  );
  ok(await sender.transfers.ask('source:end', { transfer, size: LONG }));
});

test('a live stream waits for its slowest receiver, since it cannot go back', async () => {
  const { sender, receivers } = await people(2);
  const bytes = randomFile(LONG);
  const { transfer, source } = await sender.send(bytes, { live: true });
  const [slow, fast] = await Promise.all([
    receivers[0].receive(transfer, { stopAt: 1000 }),
    receivers[1].receive(transfer),
  ]);
  // No more before both have begun: one that came too late could not.
  source.feed(transfer, 1000);
  await Promise.all([slow.reaches(1000), fast.reaches(1000)]);
  source.feed(transfer, LONG);
  await fast.reaches(MIB);
  slow.go();
  await Promise.all([slow.reaches(LONG), fast.reaches(LONG)]);
  ok(await sender.transfers.ask('source:end', { transfer, size: LONG }));
  await Promise.all([finish(slow, bytes), finish(fast, bytes)]);
  assert.equal(source.uploaded, LONG);
});

test('a live stream that is lost before its end has failed at once', async () => {
  const { room, sender, receivers } = await people(1);
  const network = await startProxy(server.port);
  try {
    const away = await connect(network.url);
    const { transfers } = await sender.offer([{ name: 'live', size: null }]);
    const [{ transfer, token }] = transfers;
    const source = new Source(away.transfers);
    await source.serve({ transfer, token }, randomFile(MIB));
    const sink = await receivers[0].receive(transfer);
    await sink.reaches(MIB);
    network.refuse();
    for (const person of [sender, ...receivers]) {
      const { code, data } = await person.state(transfer, 'failed');
      assert.equal(code, -1);
      assert.equal(data.error, 'source_lost');
    }
    assertLegalStatuses(sender.statuses, transfer);
    const late = await join(server.url, room);
    refused(await late.rooms.ask('transfer:accept', { transfer }), 'transfer_closed', 'source_lost');
  } finally {
    network.close();
  }
});

test('a sender may come again over a new link before its live stream has begun', async () => {
  const { sender, receivers } = await people(1);
  const bytes = randomFile(MIB);
  const { transfer, token, source } = await sender.send(bytes, { live: true });
  source.close();
  const link = await connect(server.url);
  await new Source(link.transfers).serve({ transfer, token }, bytes);
  sender.transfers.socket.disconnect();
  const sink = await receivers[0].receive(transfer);
  await sink.reaches(MIB);
  ok(await link.transfers.ask('source:end', { transfer, size: MIB }));
  await finish(sink, bytes);
});

test('the end of a live stream must fit what was sent', async () => {
  const { sender, receivers } = await people(1);
  const bytes = randomFile(MIB);
  const { transfer } = await sender.send(bytes, { live: true, ready: MIB });
  const sink = await receivers[0].receive(transfer);
  await sink.reaches(MIB);
  refused(await sender.transfers.ask('source:end', { transfer, size: MIB - 1 }), 'bad_request');
  assert.equal(sink.end, null);
  ok(await sender.transfers.ask('source:end', { transfer, size: MIB }));
  await finish(sink, bytes);
});

test('a file may be as large as the server allows, and a live stream brings no more', async () => {
  const small = await startServer({ TRANSFERS__MAX_SIZE: '1MiB' });
  try {
    const room = newRoom();
    const [sender, receiver] = [await join(small.url, room), await join(small.url, room)];
    const offer = (size) => sender.rooms.ask('drop:offer', { room, files: [{ name: 'a', size }] });
    refused(await offer(MIB + 1), 'too_large');
    ok(await offer(MIB));
    const bytes = randomFile(MIB);
    const { transfer, source } = await sender.send(bytes, { live: true, ready: MIB });
    const sink = await receiver.receive(transfer);
    await sink.reaches(MIB);
    const { lane } = source.pulls.at(-1);
    const more = { transfer, lane, offset: MIB };
    refused(await sender.transfers.ask('chunk', more, randomFile(1)), 'too_large');
    refused(
      await sender.transfers.ask('source:end', { transfer, size: MIB + 1 }),
      'too_large',
      'bad_request',
    );
    ok(await sender.transfers.ask('source:end', { transfer, size: MIB }));
    await finish(sink, bytes);
  } finally {
    closeAll();
    await small.stop();
  }
});

/** A sender and `count` receivers in a room of their own. */
async function people(count) {
  const room = newRoom();
  const sender = await join(server.url, room, { name: 'sender' });
  const names = Array.from({ length: count }, (_, index) => `receiver ${index}`);
  const receivers = await Promise.all(names.map((name) => join(server.url, room, { name })));
  return { room, sender, receivers };
}
