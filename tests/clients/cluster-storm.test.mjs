// 2,000 clients at three nodes, and one node is killed: all of its clients come back at once. Everyone is in
// their room again, nobody was thought to have left, no ghost stays, and the nodes stay small.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Manager } from 'socket.io-client';
import { askAgain, askedAgain } from './harness/again.mjs';
import { Wire } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { ok } from './harness/envelope.mjs';
import { newRoom } from './harness/people.mjs';
import { until } from './harness/wait.mjs';

const CLIENTS = 2000;
const ROOM_OF = 50;
const AT_ONCE = 100;
/** MiB of a node with 1,000 connections. */
const MOST_MEMORY = 256;
const DEADLINE = 60_000;

const managers = [];
after(() => managers.forEach((manager) => manager._close()));

test('a reconnect storm of 2,000 clients', { timeout: 180_000 }, async (t) => {
  const cluster = await startCluster({ nodes: 3, settings: { ROOMS__PRESENCE_GRACE: '20s' } });
  t.after(() => cluster.stop());
  const rooms = Array.from({ length: CLIENTS / ROOM_OF }, newRoom);
  const clients = [];
  while (clients.length < CLIENTS) {
    const some = Array.from({ length: AT_ONCE }, (_, index) => {
      const number = clients.length + index;
      return member(cluster.urls(number % 3), rooms[number % rooms.length]);
    });
    clients.push(...(await Promise.all(some)));
  }
  await everyoneIsThere(cluster, rooms, clients);

  const lost = clients.filter(({ uri }) => uri() === cluster.nodes[1].url);
  assert.ok(lost.length > CLIENTS / 4);
  const since = Date.now();
  await cluster.nodes[1].kill();
  await until('all are back', () => lost.every(({ joins }) => joins() > 1), () => stateOf(clients), DEADLINE);
  t.diagnostic(`${lost.length} were back after ${Date.now() - since} ms; ${askedAgain()}`);
  await everyoneIsThere(cluster, rooms, clients);

  // And once more, all of them: every node is restarted by the power cut at the same time.
  const before = clients.map(({ joins }) => joins());
  const again = Date.now();
  await Promise.all([0, 2].map((at) => cluster.nodes[at].kill()));
  await Promise.all(cluster.nodes.map((node) => node.startAgain()));
  const back = () => clients.every(({ joins }, index) => joins() > before[index]);
  await until('all are back', back, () => stateOf(clients), DEADLINE);
  t.diagnostic(`${CLIENTS} were back after ${Date.now() - again} ms; ${askedAgain()}`);
  await everyoneIsThere(cluster, rooms, clients);
  for (const { faults, left } of clients) assert.deepEqual([faults, left()], [[], 0]);
  for (const { name, server } of cluster.nodes) {
    const { most } = server.memory();
    t.diagnostic(`node ${name} took ${most.toFixed(0)} MiB at most`);
    assert.ok(most < MOST_MEMORY, `node ${name} took ${most} MiB`);
  }
});

/** A client in a room, with as little of its own as will do: `/rooms`, and how often it joined. */
async function member(urls, room) {
  const manager = new Manager(urls[0], {
    transports: ['websocket'],
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
    timeout: DEADLINE,
  });
  managers.push(manager);
  const wire = new Wire(manager.socket('/rooms'), '/rooms');
  const faults = [];
  const words = { room };
  let [joins, turn, id] = [0, 0, ''];
  manager.on('reconnect_attempt', () => (manager.uri = urls[(turn += 1) % urls.length]));
  const join = async () => {
    const { drops } = wire;
    const answer = await askAgain(wire, 'room:join', words, { ms: DEADLINE, isStill: () => drops === wire.drops });
    if (!answer) return;
    if (answer.code !== 200) return faults.push(JSON.stringify(answer));
    joins += 1;
    if (id && id !== answer.data.member.id) faults.push('it is somebody else');
    id = answer.data.member.id;
    words.key = answer.data.key;
  };
  wire.socket.on('connect', join);
  await until('a client has joined', () => joins > 0, () => faults.join(), DEADLINE);
  return {
    wire,
    room,
    faults,
    id: () => id,
    uri: () => manager.uri,
    joins: () => joins,
    words,
    left: () => wire.inbox.all('room:left').length,
  };
}

/** At every node that lives, every room has those who are in it, all here, and nobody else. */
async function everyoneIsThere(cluster, rooms, clients) {
  const byRoom = new Map(rooms.map((room) => [room, clients.filter((client) => client.room === room)]));
  const askers = rooms.flatMap((room) => {
    const of = new Map(byRoom.get(room).map((client) => [client.uri(), client]));
    return [...of.values()];
  });
  for (const asker of askers) {
    const expected = byRoom
      .get(asker.room)
      .map((client) => client.id())
      .sort();
    const seen = async () => {
      const { members } = ok(await askAgain(asker.wire, 'room:join', asker.words));
      assert.ok(members.length <= expected.length, 'there is a ghost');
      const here = members.filter(({ online }) => online).map(({ id }) => id);
      return here.length === expected.length && assert.deepEqual(here.sort(), expected) === undefined;
    };
    await until('everyone is shown as here', seen);
  }
}

const stateOf = (clients) => {
  const counts = {};
  for (const { joins, wire } of clients) {
    const state = `${wire.socket.connected ? 'connected' : 'away'}, joined ${joins()} times`;
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return JSON.stringify(counts);
};
