// Links that break: a network that resets, refuses and stalls, pages that are reloaded, programs that come
// back. Whoever comes back goes on where it was, and the bytes are right.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MIB, randomFile } from './harness/bytes.mjs';
import { CLIENTS, closeAll, connect } from './harness/clients.mjs';
import { assertLegalStatuses, ok } from './harness/envelope.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { startProxy } from './harness/proxy.mjs';
import { startServer } from './harness/server.mjs';
import { Sink } from './harness/sink.mjs';
import { Source } from './harness/source.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 12 * MIB + 5;
const HALF = 6 * MIB;
const WINDOW = 2 * MIB;

let server;
const proxies = [];
before(async () => {
  server = await startServer({ TRANSFERS__STALL_TIMEOUT: '500ms', TRANSFERS__STRAGGLER_PATIENCE: '200ms' });
});
after(async () => {
  closeAll();
  for (const proxy of proxies) proxy.close();
  await server?.stop();
});

for (const name of [
  'socket.io-client 4 (websocket)',
  'socket.io-client 4 (polling)',
  'socket.io-client 2 (websocket)',
]) {
  test(`a receiver that is cut in the middle goes on from what it holds: ${name}`, async () => {
    const network = await badNetwork();
    const { sender, receiver } = await two({ receiver: { url: network.url, client: CLIENTS[name] } });
    const bytes = randomFile(SIZE);
    const { transfer } = await sender.send(bytes);
    const sink = await receiver.receive(transfer, { window: WINDOW });
    for (const part of [1 / 3, 2 / 3]) {
      await sink.reaches(part * SIZE);
      await lose(receiver, network);
    }
    await finish(sink, bytes);
    assert.ok(sink.lane > 1, 'it did not go on by a new lane');
    assert.ok(sink.downloaded - SIZE <= 3 * WINDOW, `${sink.downloaded - SIZE} bytes came twice`);
    await sender.state(transfer, 'complete');
    assertLegalStatuses(sender.statuses, transfer);
  });

  test(`a sender that is cut in the middle goes on when it is back: ${name}`, async () => {
    const network = await badNetwork();
    const { sender, receiver } = await two({ sender: { url: network.url, client: CLIENTS[name] } });
    const bytes = randomFile(SIZE);
    const { transfer, source } = await sender.send(bytes);
    const sink = await receiver.receive(transfer);
    for (const part of [1 / 3, 2 / 3]) {
      await sink.reaches(part * SIZE);
      await lose(sender, network);
    }
    await finish(sink, bytes);
    assert.ok(
      source.uploaded < 2 * SIZE,
      `it sent ${source.uploaded} bytes of ${SIZE}: from the start again`,
    );
    await receiver.state(transfer, 'complete');
    assertLegalStatuses(receiver.statuses, transfer);
  });
}

test('while the sender is away the transfer is suspended, and it goes on by itself', async () => {
  const network = await badNetwork();
  const { sender, receiver } = await two({ sender: { url: network.url } });
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  network.refuse();
  assert.equal((await receiver.state(transfer, 'suspended')).code, 101);
  sink.go();
  network.pass();
  await receiver.state(transfer, 'active');
  await finish(sink, bytes);
  await receiver.state(transfer, 'complete');
});

test('while a receiver is away it is shown as such, and the others go on', async () => {
  const network = await badNetwork();
  const { room, sender, receiver } = await two({ receiver: { url: network.url } });
  const other = await join(server.url, room);
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  network.refuse();
  await sender.receiverState(transfer, receiver, 'away');
  await finish(await other.receive(transfer), bytes);
  sink.go();
  network.pass();
  await finish(sink, bytes);
  await sender.receiverState(transfer, receiver, 'complete');
});

test('both ends cut again and again still bring every byte', async () => {
  const networks = [await badNetwork(), await badNetwork()];
  const { sender, receiver } = await two({
    sender: { url: networks[0].url },
    receiver: { url: networks[1].url },
  });
  const bytes = randomFile(2 * SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer);
  for (let step = 1; step <= 10; step += 1) {
    await sink.reaches((step * bytes.length) / 12);
    networks[step % 2].cut();
  }
  await finish(sink, bytes);
});

test('a link that stalls does not keep its owner from going on over another', async () => {
  const network = await badNetwork();
  const { sender, receiver } = await two({ sender: { url: network.url }, receiver: { url: network.url } });
  const bytes = randomFile(SIZE);
  const { transfer, token, source } = await sender.send(bytes);
  const accepted = await receiver.accept(transfer);
  const sink = new Sink(receiver.transfers, accepted, { stopAt: HALF });
  await sink.open();
  await sink.reaches(HALF);
  network.hold();
  sink.close();
  source.close();
  const [up, down] = [await connect(server.url), await connect(server.url)];
  await new Source(up.transfers).serve({ transfer, token }, bytes);
  const again = new Sink(down.transfers, accepted, { held: sink.bytes(), lane: sink.lane });
  await again.open();
  await finish(again, bytes);
  await receiverIsComplete(transfer, receiver);
});

test('a reloaded receiver goes on with its token and what it has stored', async () => {
  const { room, sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const accepted = await receiver.accept(transfer);
  const sink = new Sink(receiver.transfers, accepted, { stopAt: HALF });
  await sink.open();
  await sink.reaches(HALF);
  sink.close();
  receiver.vanish();
  const reloaded = await join(server.url, room, { key: receiver.key });
  assert.equal(reloaded.id, receiver.id);
  // A page that stored no more than the token and the bytes begins to count its lanes anew.
  const again = new Sink(reloaded.transfers, accepted, { held: sink.bytes() });
  const opened = await again.open();
  assert.equal(opened.size, SIZE);
  await finish(again, bytes);
  assert.equal(again.downloaded, SIZE - HALF, 'what was stored came again');
  await sender.receiverState(transfer, receiver, 'complete');
});

test('a reloaded receiver that has lost its token accepts again and is the same receiver', async () => {
  const { room, sender, receiver } = await two();
  const bytes = randomFile(MIB);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: 1000 });
  await sink.reaches(1000);
  sink.close();
  receiver.vanish();
  const reloaded = await join(server.url, room, { key: receiver.key });
  await finish(await reloaded.receive(transfer), bytes);
  const { data } = await sender.state(transfer, 'complete');
  assert.deepEqual(
    data.receivers.map(({ member, state }) => [member, state]),
    [[receiver.id, 'complete']],
  );
});

test('a restarted sender goes on with its token', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { transfer, token, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: HALF });
  await sink.reaches(HALF);
  source.close();
  sender.vanish();
  await receiver.state(transfer, 'suspended');
  const link = await connect(server.url);
  await new Source(link.transfers).serve({ transfer, token }, bytes);
  sink.go();
  await finish(sink, bytes);
});

test('a sender that opens a second time takes over at once, and the first is refused', async () => {
  const { sender, receiver } = await two();
  const bytes = randomFile(SIZE);
  const { transfer, token, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  const last = source.pulls.at(-1);
  const link = await connect(server.url);
  await new Source(link.transfers).serve({ transfer, token }, bytes);
  const stale = { transfer, lane: last.lane, offset: MIB };
  const answer = await sender.transfers.ask('chunk', stale, randomFile(1000));
  assert.equal(answer.code, -1);
  sink.go();
  await finish(sink, bytes);
});

test('an offer waits for a sender that is away when it is accepted', async () => {
  const { room, sender, receiver } = await two();
  const bytes = randomFile(MIB);
  const { transfers } = await sender.offer([{ name: 'later.bin', size: MIB }]);
  const [{ transfer, token }] = transfers;
  sender.vanish();
  const sink = await receiver.receive(transfer);
  await receiver.state(transfer, 'suspended');
  const back = await join(server.url, room, { key: sender.key });
  await new Source(back.transfers).serve({ transfer, token }, bytes);
  await finish(sink, bytes);
  await receiver.state(transfer, 'complete');
});

test('a pause outlives a lost link', async () => {
  const network = await badNetwork();
  const { sender, receiver } = await two({ sender: { url: network.url } });
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  ok(await sender.rooms.ask('transfer:pause', { transfer }));
  await receiver.state(transfer, 'paused');
  await lose(sender, network);
  sink.go();
  const back = await rejoin(sender);
  const now = back.drops.find((drop) => drop.transfers[0].transfer === transfer);
  assert.ok(['paused', 'suspended'].includes(now.transfers[0].state), now.transfers[0].state);
  assert.equal(sink.held, MIB);
  ok(await sender.rooms.ask('transfer:resume', { transfer }));
  await finish(sink, bytes);
});

async function badNetwork() {
  const network = await startProxy(server.port);
  proxies.push(network);
  return network;
}

/** A sender and a receiver, each over a network and by a client of its own. */
async function two({ sender = {}, receiver = {} } = {}) {
  const room = newRoom();
  return {
    room,
    sender: await join(sender.url ?? server.url, room, { client: sender.client, name: 'sender' }),
    receiver: await join(receiver.url ?? server.url, room, { client: receiver.client, name: 'receiver' }),
  };
}

/** Takes the link from under `person`, until its client has seen it, and lets it come back. */
async function lose(person, network) {
  const before = person.transfers.drops;
  network.refuse();
  await until('the client has seen that its link is lost', () => person.transfers.drops > before);
  network.pass();
}

async function rejoin(person) {
  await person.rooms.connected();
  return ok(await person.rooms.ask('room:join', { room: person.room, key: person.key }));
}

/** Asks somebody whose links work. */
async function receiverIsComplete(transfer, receiver) {
  const witness = await join(server.url, receiver.room);
  const { state } = witness.joined.drops
    .flatMap((drop) => drop.transfers)
    .find((t) => t.transfer === transfer);
  assert.equal(state, 'complete');
}
