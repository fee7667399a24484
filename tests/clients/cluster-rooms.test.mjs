// People at different nodes in one room: who is here, what was said and offered, in one order for all. And
// when a node is killed: nobody flickers who comes back, and nobody stays who does not.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { askedAgain } from './harness/again.mjs';
import { closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { assertSameStory, enter } from './harness/cluster-people.mjs';
import { ok, refused } from './harness/envelope.mjs';
import { newRoom } from './harness/people.mjs';
import { until } from './harness/wait.mjs';

const GRACE = 2000;
const [A, B, C] = [0, 1, 2];

let cluster;
before(async () => {
  cluster = await startCluster({ nodes: 3, settings: { ROOMS__PRESENCE_GRACE: `${GRACE}ms` } });
});
after(async () => {
  closeAll();
  await cluster?.stop();
});

test('a join and a leave are told at every node, once', async () => {
  const room = newRoom();
  const [anna, ben] = await everywhere(room);
  const dora = await enter(cluster.urls(C), room, { name: 'Dora' });
  for (const person of [anna, ben]) {
    const joined = await person.rooms.inbox.next('room:joined', ({ member }) => member.id === dora.id);
    assert.deepEqual(joined, { room, member: { id: dora.id, name: 'Dora' } });
  }
  assert.equal(dora.joined.members.length, 4);
  ok(await dora.rooms.ask('room:leave', { room }));
  for (const person of [anna, ben])
    await person.rooms.inbox.next('room:left', ({ member }) => member.id === dora.id);
  await quiet(anna, ben);
  for (const person of [anna, ben]) {
    assert.equal(count(person, 'room:joined', dora), 1);
    assert.equal(count(person, 'room:left', dora), 1);
    assert.equal((await person.look()).members.length, 3);
  }
});

test('a lost link shows as left at every node, once, and after the grace', async () => {
  const room = newRoom();
  const [anna, ben, carla] = await everywhere(room);
  const gone = Date.now();
  carla.vanish();
  for (const person of [anna, ben])
    await person.rooms.inbox.next('room:left', ({ member }) => member.id === carla.id);
  assert.ok(Date.now() - gone >= GRACE - 100, 'left before the grace was over');
  await quiet(anna, ben);
  for (const person of [anna, ben]) assert.equal(count(person, 'room:left', carla), 1);
});

test('what people at three nodes say at the same time has one order for all, and for who comes later', async () => {
  const room = newRoom();
  const people = await everywhere(room);
  const texts = people.flatMap(({ id }) => Array.from({ length: 200 }, (_, index) => `${id} ${index}`));
  await Promise.all(texts.map((text) => people.find(({ id }) => text.startsWith(id)).say(text)));
  await until('everyone has heard everything', () => people.every(({ heard }) => heard.length === texts.length));
  assertSameStory(people);
  assert.deepEqual([...people[0].heard].sort(), [...texts].sort());
  for (const { id, heard } of people) {
    const own = heard.filter((text) => text.startsWith(id)).map((text) => Number(text.split(' ')[1]));
    assert.deepEqual(own, [...own.keys()], 'the words of one person are out of order');
  }
  const late = await Promise.all([A, B, C].map((at) => enter(cluster.urls(at), room)));
  for (const { joined } of late) assert.deepEqual(textsOf(joined), people[0].heard.slice(-100));
});

test('offers made at three nodes at the same time have one order for all', async () => {
  const room = newRoom();
  const people = await everywhere(room);
  const offers = Array.from({ length: 60 }, (_, index) => people[index % 3].offer([{ name: `${index}`, size: 1 }]));
  const drops = (await Promise.all(offers)).map(({ drop }) => drop);
  const seen = (person) => person.rooms.inbox.all('drop:offered').map(({ drop }) => drop);
  await until('everyone has heard all offers', () => people.every((person) => seen(person).length === drops.length));
  for (const person of people) assert.deepEqual(seen(person), seen(people[0]));
  for (const at of [A, B, C]) {
    const { joined } = await enter(cluster.urls(at), room);
    assert.deepEqual(
      joined.drops.map(({ drop }) => drop),
      seen(people[0]),
    );
  }
});

test('the passphrase of a room holds at every node', async () => {
  const room = newRoom();
  const anna = await enter(cluster.urls(A), room, { passphrase: 'open sesame' });
  const ben = await enter(cluster.urls(B), room, { passphrase: 'open sesame' });
  await assert.rejects(enter(cluster.urls(C), room, { passphrase: 'open barley' }), /expected code 200/);
  assert.equal(ben.joined.members.length, 2);
  assert.equal((await anna.look()).members.length, 2);
});

test('two windows of one member at two nodes are one member, here until both are gone', async () => {
  const room = newRoom();
  const anna = await enter(cluster.urls(A), room);
  const ben = await enter(cluster.urls(B), room, { name: 'Ben' });
  const second = await enter(cluster.urls(C), room, { name: 'Ben', key: ben.key });
  assert.equal(second.id, ben.id);
  assert.equal(second.joined.members.length, 2);
  const id = await anna.say('hello both');
  for (const window of [ben, second]) await window.rooms.inbox.next('room:message', (m) => m.id === id);
  ben.vanish();
  await someoneElseLeft(room, anna);
  assert.equal(count(anna, 'room:left', ben), 0, 'one of two windows was closed, and the member left');
  refused(await second.rooms.ask('room:message', { room, text: 7 }), 'bad_request');
  second.vanish();
  await anna.rooms.inbox.next('room:left', ({ member }) => member.id === ben.id);
});

test('who moves to another node is never away, and stays the same member', async () => {
  const room = newRoom();
  const [anna, ben] = await everywhere(room);
  for (const [times, at] of [C, A, B].entries()) {
    ben.moveTo(cluster.urls(at));
    await ben.back(times + 1);
  }
  await someoneElseLeft(room, anna);
  assert.equal(count(anna, 'room:left', ben), 0);
  assert.equal(count(anna, 'room:joined', ben), 1);
  assert.equal((await anna.look()).members.length, 3);
  assert.deepEqual(ben.faults, []);
});

// With presence bound to the life of the node that a member is at, instead of to the member: the first of
// these sees somebody leave, the second a ghost.
test('a node is killed: who comes back elsewhere within the grace was never away', async (t) => {
  const own = await clusterOf(t, '6s');
  const room = newRoom();
  const [anna, ben, carla] = await everywhere(room, own);
  await own.nodes[C].kill();
  await carla.back();
  const dora = await enter(own.urls(B), room);
  dora.vanish();
  await anna.rooms.inbox.next('room:left', ({ member }) => member.id === dora.id);
  for (const person of [anna, ben]) {
    assert.equal(count(person, 'room:left', carla), 0, 'it left');
    assert.ok(count(person, 'room:joined', carla) <= 1, 'it joined again');
    assert.deepEqual(online(await person.look()), [anna.id, ben.id, carla.id].sort());
  }
  await said([anna, ben, carla]);
  assert.deepEqual(carla.faults, []);
  t.diagnostic(askedAgain());
});

test('a node is killed: who does not come back has left once, and no ghost stays', async (t) => {
  const own = await clusterOf(t, `${GRACE}ms`);
  const room = newRoom();
  const [anna, ben, carla] = await everywhere(room, own);
  const alone = newRoom();
  const last = await enter(own.urls(C), alone);
  const killed = Date.now();
  await own.nodes[C].kill();
  carla.vanish();
  last.vanish();
  for (const person of [anna, ben])
    await person.rooms.inbox.next('room:left', ({ member }) => member.id === carla.id);
  assert.ok(Date.now() - killed >= GRACE - 100, 'left before the grace was over');
  await quiet(anna, ben);
  for (const person of [anna, ben]) {
    assert.equal(count(person, 'room:left', carla), 1);
    assert.deepEqual(online(await person.look()), [anna.id, ben.id].sort());
  }
  // Nobody was left in this room to see it: who comes first does.
  const finder = await enter(own.urls(A), alone);
  const ghostless = async () => (await finder.look()).members.length === 1;
  await until('the room that the dead node had alone is empty', ghostless);
  await own.nodes[C].start();
  const again = await enter(own.urls(C), room);
  assert.deepEqual(online(again.joined), [anna.id, ben.id, again.id].sort());
});

test('a node is killed in the middle of a conversation: nothing that was answered is lost', async (t) => {
  const own = await clusterOf(t, '6s');
  const room = newRoom();
  const people = await everywhere(room, own);
  const [anna, ben, carla] = people;
  const texts = Array.from({ length: 300 }, (_, index) => `word ${index}`);
  const answered = [];
  for (const [index, text] of texts.entries()) {
    if (index === 150) await own.nodes[C].kill();
    const speaker = index < 150 ? people[index % 3] : people[index % 2];
    await speaker.say(text);
    answered.push(text);
  }
  await carla.back();
  await until('all have heard it', () => people.every(({ heard }) => heard.includes(answered.at(-1))));
  assert.deepEqual(anna.heard, answered);
  assertSameStory([anna, ben]);
  // She was back before the talk was over: what she is shown is asked for now.
  assert.deepEqual(textsOf(await carla.look()), answered.slice(-100));
});

/** A cluster of its own, for a test that kills. */
async function clusterOf(t, grace) {
  const own = await startCluster({ nodes: 3, settings: { ROOMS__PRESENCE_GRACE: grace } });
  t.after(() => own.stop());
  return own;
}

/** One person at each node. */
async function everywhere(room, where = cluster) {
  const people = [];
  for (const at of [A, B, C]) people.push(await enter(where.urls(at), room, { name: `Person ${at}` }));
  return people;
}

/** Everyone says something that everyone hears. */
async function said(people) {
  for (const person of people) {
    const id = await person.say(`from ${person.id}`);
    for (const other of people) await other.rooms.inbox.next('room:message', (message) => message.id === id);
  }
}

/** Once words have gone both ways, twice: what was under way before them has come. */
async function quiet(...people) {
  await said(people);
  await said(people);
}

/** Somebody comes and vanishes now, and has left: whoever vanished before would have too. */
async function someoneElseLeft(room, witness) {
  const passer = await enter(cluster.urls(B), room);
  passer.vanish();
  await witness.rooms.inbox.next('room:left', ({ member }) => member.id === passer.id);
}

const count = (person, event, other) =>
  person.rooms.inbox.all(event).filter(({ member }) => member.id === other.id).length;
const online = ({ members }) =>
  members
    .filter((member) => member.online)
    .map(({ id }) => id)
    .sort();
const textsOf = ({ messages }) => messages.map(({ text }) => text);
