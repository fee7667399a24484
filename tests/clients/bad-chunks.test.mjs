// Chunks that nobody asked for, in every way: each is refused by its name, the right bytes that follow are
// taken, and none of the wrong ones reaches a sink.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { ok, refused } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 3 * MIB;
const PIECE = 64 * KIB;

let server;
before(async () => {
  server = await startServer();
});
after(async () => {
  closeAll();
  await server?.stop();
});

// Each row: what is wrong, the head of the chunk, its bytes, and how it is answered. `at` is where the pull
// begins, `piece` the right bytes there.
const WRONG = [
  ['an unknown lane', (p) => [{ ...p.head, lane: p.lane + 1000 }, p.piece], 'unexpected_chunk'],
  ['the lane 0', (p) => [{ ...p.head, lane: 0 }, p.piece], 'unexpected_chunk'],
  ['a gap', (p) => [{ ...p.head, offset: p.at + 1 }, p.piece], 'unexpected_chunk'],
  ['far ahead', (p) => [{ ...p.head, offset: SIZE - PIECE }, p.piece], 'unexpected_chunk'],
  ['beyond the end of the file', (p) => [{ ...p.head, offset: SIZE }, p.piece], 'unexpected_chunk'],
  [
    'the largest offset there is',
    (p) => [{ ...p.head, offset: Number.MAX_SAFE_INTEGER }, p.piece],
    'unexpected_chunk',
  ],
  ['no bytes', (p) => [p.head, Buffer.alloc(0)], 'unexpected_chunk', 'bad_request'],
  ['more than a chunk may have', (p) => [p.head, Buffer.alloc(5 * MIB + 1)], 'too_large'],
  ['a wrong digest', (p) => [{ ...p.head, digest: sha256('other bytes') }, p.piece], 'digest_mismatch'],
  ['bytes as text', (p) => [p.head, 'text'], 'bad_request'],
  ['bytes as a list', (p) => [p.head, [1, 2, 3]], 'bad_request'],
  ['bytes as null', (p) => [p.head, null], 'bad_request'],
  ['bytes missing', (p) => [p.head], 'bad_request'],
  ['bytes twice', (p) => [p.head, p.piece, p.piece], 'bad_request', 'unexpected_chunk'],
  ['bytes within the head', (p) => [{ ...p.head, bytes: p.piece }], 'bad_request'],
];

for (const [what, make, ...errors] of WRONG) {
  test(`a chunk with ${what} is refused, and none of it reaches the receiver`, async () => {
    const { sender, receiver, bytes, transfer, source, pull } = await begun();
    const sink = await receiver.receive(transfer);
    const { lane, from: at } = await pull();
    const wrong = make({
      head: { transfer, lane, offset: at },
      lane,
      at,
      piece: bytes.subarray(at, at + PIECE),
    });
    refused(await sender.transfers.ask('chunk', ...wrong), ...errors);
    // The server may have begun a new lane by then, on which it asks for the bytes again.
    refused(await sender.transfers.ask('chunk', ...wrong), ...errors, 'unexpected_chunk');
    source.feed(transfer, SIZE);
    await finish(sink, bytes);
    assert.equal(sink.downloaded, SIZE, 'more came than the file');
    for (const wire of [sender.transfers, receiver.transfers]) assert.equal(wire.drops, 0, 'a link was cut');
  });
}

test('a chunk beyond the credit is refused, and one across its limit as a whole', async () => {
  const { sender, receiver, bytes, transfer, source, pull } = await begun(20 * MIB);
  const { token } = await receiver.accept(transfer);
  // A sink that acknowledges nothing, so that the credit stays where it is.
  ok(await receiver.transfers.ask('sink:open', { token, lane: 1, from: 0, limit: 100 * KIB }));
  const { lane, limit } = await pull();
  assert.ok(limit <= 8 * MIB, `pulled up to ${limit}: more than its window`);
  const send = (offset, length) => {
    const piece = bytes.subarray(offset, offset + length);
    return sender.transfers.ask('chunk', { transfer, lane, offset }, piece);
  };
  refused(await send(limit, PIECE), 'unexpected_chunk');
  const before = Math.max(0, limit - PIECE);
  source.feed(transfer, before);
  await until('the server has taken all but the last', () => (source.answers.at(-1)?.end ?? 0) >= before);
  refused(await send(before, limit - before + 1), 'unexpected_chunk');
  source.feed(transfer, limit);
  await until('the server has taken all that it pulled', () => source.answers.at(-1)?.end === limit);
  assert.equal(newest(source).limit, limit, 'credit for bytes that nobody has taken');
  refused(await send(limit, PIECE), 'unexpected_chunk');
  source.feed(transfer, bytes.length);
  await finish(await receiver.receive(transfer, { lane: 1 }), bytes);
});

test('a chunk sent twice is taken once', async () => {
  const { sender, receiver, bytes, transfer, source, pull } = await begun();
  const sink = await receiver.receive(transfer, { stopAt: 1000 });
  const { lane } = await pull();
  source.feed(transfer, PIECE);
  await sink.reaches(1000);
  const head = { transfer, lane, offset: 0 };
  refused(await sender.transfers.ask('chunk', head, bytes.subarray(0, PIECE)), 'unexpected_chunk');
  refused(await sender.transfers.ask('chunk', head, randomFile(PIECE)), 'unexpected_chunk');
  source.feed(transfer, SIZE);
  sink.go();
  await finish(sink, bytes);
  assert.equal(sink.downloaded, SIZE);
});

test('a sink that pulls nonsense is given nothing, and can still have the file', async () => {
  const { receiver, bytes, transfer, source } = await begun();
  const { token } = await receiver.accept(transfer);
  const wire = receiver.transfers;
  ok(await wire.ask('sink:open', { token }));
  source.feed(transfer, SIZE);
  const most = Number.MAX_SAFE_INTEGER;
  for (const words of [
    { lane: 1, from: 10, limit: 5 },
    { lane: 2, from: SIZE + 1, limit: SIZE + 2 },
    { lane: most, from: most, limit: most },
  ]) {
    const answer = await wire.ask('pull', { transfer, ...words });
    assert.ok([200, -1].includes(answer.code), JSON.stringify(answer));
  }
  assert.deepEqual(wire.inbox.all('chunk'), []);
  assert.equal(wire.drops, 0);
  await finish(await receiver.receive(transfer), bytes);
});

test('an end that contradicts the offer is refused', async () => {
  const { sender, receiver, bytes, transfer, source } = await begun();
  for (const size of [0, SIZE - 1, SIZE + 1]) {
    refused(await sender.transfers.ask('source:end', { transfer, size }), 'bad_request');
  }
  ok(await sender.transfers.ask('source:end', { transfer, size: SIZE }));
  source.feed(transfer, SIZE);
  await finish(await receiver.receive(transfer), bytes);
});

/** A transfer whose sender has opened it and sends nothing until it is fed. */
async function begun(size = SIZE) {
  const room = newRoom();
  const [sender, receiver] = [await join(server.url, room), await join(server.url, room)];
  const bytes = randomFile(size);
  const { transfer, source } = await sender.send(bytes, { ready: 0 });
  const pull = () => until('the server pulls', () => newest(source));
  return { sender, receiver, bytes, transfer, source, pull };
}

const newest = (source) => source.pulls.at(-1);
