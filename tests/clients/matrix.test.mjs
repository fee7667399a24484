// The main job with every official client on either side: drop a file into a room, accept it, hold the same
// bytes. One body, a row for each pair of clients.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { CLIENTS, closeAll } from './harness/clients.mjs';
import { assertLegalStatuses, ok } from './harness/envelope.mjs';
import { join, newRoom } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { until } from './harness/wait.mjs';

const CHUNK = 256 * KIB;
const V2 = 'socket.io-client 2 (websocket)';
const V2_POLLING = 'socket.io-client 2 (polling)';
const V4 = 'socket.io-client 4 (websocket)';
const V4_POLLING = 'socket.io-client 4 (polling)';

const PAIRS = [
  ...Object.keys(CLIENTS).map((name) => [name, name]),
  [V2, V4],
  [V4, V2],
  [V2_POLLING, V4],
  [V4_POLLING, V2_POLLING],
];

let server;
before(async () => {
  server = await startServer();
});
after(async () => {
  closeAll();
  await server?.stop();
});

for (const [from, to] of PAIRS) {
  test(`${from} sends a file to ${to}`, async () => {
    const size = (from + to).includes('polling') ? 5 * MIB + 7 : 16 * MIB + 7;
    const bytes = randomFile(size);
    const room = newRoom();
    const receiver = await join(server.url, room, { client: CLIENTS[to], name: 'receiver' });
    const sender = await join(server.url, room, { client: CLIENTS[from], name: 'sender' });
    const { drop, transfer, source } = await sender.send(bytes, { name: 'random.bin', chunk: CHUNK });

    const offer = await receiver.offered(drop);
    assert.equal(offer.from, sender.id);
    assert.equal(offer.fromName, 'sender');
    assert.equal(offer.transfers[0].size, size);
    const sink = await receiver.receive(transfer);
    const got = await sink.whole();
    assert.equal(sha256(got), sha256(bytes));
    assert.deepEqual(sink.faults, []);

    await assertNotCompleteBeforeDone(sender, receiver, transfer);
    assert.deepEqual(ok(await sink.done()), {});
    await Promise.all([sender.state(transfer, 'complete'), receiver.state(transfer, 'complete')]);
    for (const person of [sender, receiver]) {
      const last = assertLegalStatuses(person.statuses, transfer).at(-1).data;
      assert.deepEqual(last.receivers, [{ member: receiver.id, state: 'complete', received: size }]);
      assert.equal(last.sent, size);
    }
    await assertChunksAnswered(source, size);
  });
}

/** All bytes are here and nobody has said so: after a word to and fro on both links, still nobody calls it complete. */
async function assertNotCompleteBeforeDone(sender, receiver, transfer) {
  for (const person of [sender, receiver]) {
    const { id } = ok(await person.rooms.ask('room:message', { room: person.room, text: 'nearly' }));
    for (const other of [sender, receiver]) await other.rooms.inbox.next('room:message', (m) => m.id === id);
  }
  for (const person of [sender, receiver]) {
    const states = assertLegalStatuses(person.statuses, transfer).map(({ data }) => data.state);
    assert.ok(!states.includes('complete'), `complete before sink:done: ${states}`);
  }
}

async function assertChunksAnswered(source, size) {
  const sizes = () => source.answers.map(({ end }) => end);
  await until(
    'every chunk is answered',
    () => sizes().at(-1) === size,
    () => `answered: ${sizes()}`,
  );
  assert.equal(source.uploaded, size, 'the file went up once');
  for (const answer of source.answers) assert.equal(ok(answer, 100).received, answer.end);
}
