// People in rooms: who is here, who was, what was said and offered, and who may come in.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { closeAll, connect } from './harness/clients.mjs';
import { ok, refused } from './harness/envelope.mjs';
import { join, newRoom } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { until } from './harness/wait.mjs';

describe('people in rooms', () => {
  let server;
  before(async () => {
    server = await startServer({ ROOMS__PRESENCE_GRACE: '300ms' });
  });
  after(async () => {
    closeAll();
    await server?.stop();
  });

  test('a join tells who is here, and tells the others and only them', async () => {
    const room = newRoom();
    const anna = await join(server.url, room, { name: 'Anna' });
    const ben = await join(server.url, room, { name: 'Ben' });
    assert.deepEqual(await anna.rooms.inbox.next('room:joined'), {
      room,
      member: { id: ben.id, name: 'Ben' },
    });
    assert.equal(ben.joined.room, room);
    assert.deepEqual(ben.joined.server, { keeps: 24 * 3_600_000, fetches: false });
    assert.deepEqual(
      new Map(ben.joined.members.map((m) => [m.id, m])),
      new Map([
        [anna.id, { id: anna.id, name: 'Anna', online: true }],
        [ben.id, { id: ben.id, name: 'Ben', online: true }],
      ]),
    );
    assert.notEqual(anna.key, ben.key);
    await say(ben, 'a word after');
    await ben.rooms.inbox.next('room:message');
    assert.deepEqual(ben.rooms.inbox.all('room:joined'), []);
  });

  test('a message reaches everyone, its sender too, with one id and one time', async () => {
    const room = newRoom();
    const anna = await join(server.url, room, { name: 'Anna' });
    const ben = await join(server.url, room, { name: 'Ben' });
    const text = 'Grüße, "friends" 🦦\nsecond line';
    const said = await say(ben, text);
    for (const person of [anna, ben]) {
      assert.deepEqual(await person.rooms.inbox.next('room:message'), {
        room,
        ...said,
        from: ben.id,
        fromName: 'Ben',
        text,
      });
    }
    assert.ok(Math.abs(said.at - Date.now()) < 60_000, `at is ${said.at}`);
  });

  test('2,000 messages sent at once arrive once each, in their order', async () => {
    const room = newRoom();
    const anna = await join(server.url, room);
    const ben = await join(server.url, room);
    const texts = Array.from({ length: 2000 }, (_, index) => `message ${index}`);
    const answers = await Promise.all(texts.map((text) => ben.rooms.ask('room:message', { room, text })));
    for (const answer of answers) ok(answer);
    for (const person of [anna, ben]) {
      await person.rooms.inbox.next('room:message', (message) => message.text === texts.at(-1));
      assert.deepEqual(
        person.rooms.inbox.all('room:message').map((message) => message.text),
        texts,
      );
    }
  });

  test('a late comer is told the last messages and the open drops', async () => {
    const room = newRoom();
    const anna = await join(server.url, room, { name: 'Anna' });
    for (const text of ['one', 'two', 'three']) await say(anna, text);
    const files = [
      { name: 'a.txt', path: 'docs/old', size: 3, type: 'text/plain', modified: 1_700_000_000_000 },
    ];
    const { drop, transfers } = await anna.offer(files, { note: 'for later' });
    const offered = await anna.offered(drop);
    const late = await join(server.url, room);
    assert.deepEqual(
      late.joined.messages.map(({ text, from, fromName }) => ({ text, from, fromName })),
      ['one', 'two', 'three'].map((text) => ({ text, from: anna.id, fromName: 'Anna' })),
    );
    assert.deepEqual(late.joined.drops, [offered]);
    const { at, ...rest } = offered;
    assert.ok(Number.isSafeInteger(at));
    assert.deepEqual(rest, {
      room,
      drop,
      from: anna.id,
      fromName: 'Anna',
      keep: false,
      note: 'for later',
      transfers: [{ transfer: transfers[0].transfer, ...files[0], state: 'offered' }],
    });
  });

  test('previews reach those who are here and those who come, and more than a room can remember are refused', async () => {
    const room = newRoom();
    const anna = await join(server.url, room);
    const ben = await join(server.url, room);
    const picture = (preview) => ({ name: 'a.png', size: 3, type: 'image/png', preview });
    const full = 'A'.repeat(8192);
    const { drop } = await anna.offer([picture('+/-_='), ...Array(7).fill(picture(full))]);
    const previews = ({ transfers }) => transfers.map(({ preview }) => preview);
    const late = await join(server.url, room);
    for (const seen of [await ben.offered(drop), late.joined.drops[0]]) {
      assert.deepEqual(previews(seen), ['+/-_=', ...Array(7).fill(full)]);
    }
    const offer = (files) => anna.rooms.ask('drop:offer', { room, files });
    for (const preview of ['', `${full}A`, '<svg>', 'é', 7]) {
      refused(await offer([picture(preview)]), 'bad_request');
    }
    ok(await offer(Array(8).fill(picture(full))));
    refused(await offer([...Array(8).fill(picture(full)), picture('A')]), 'too_large');
  });

  test('a leave is told at once, and the room is closed to the one who left', async () => {
    const room = newRoom();
    const anna = await join(server.url, room);
    const ben = await join(server.url, room, { name: 'Ben' });
    assert.deepEqual(ok(await ben.rooms.ask('room:leave', { room })), {});
    assert.deepEqual(await anna.rooms.inbox.next('room:left'), { room, member: { id: ben.id, name: 'Ben' } });
    refused(await ben.rooms.ask('room:message', { room, text: 'still here?' }), 'room_not_found');
    refused(await ben.rooms.ask('room:leave', { room }), 'room_not_found');
  });

  test('a lost link shows as away, and as left only after the presence grace', async () => {
    const room = newRoom();
    const anna = await join(server.url, room);
    const ben = await join(server.url, room, { name: 'Ben' });
    ben.vanish();
    const gone = Date.now();
    const left = await anna.rooms.inbox.next('room:left');
    assert.deepEqual(left.member, { id: ben.id, name: 'Ben' });
    assert.ok(Date.now() - gone >= 250, 'left before the grace of 300 ms was over');
  });

  test('the key makes one the same member again, and nobody hears that one was away', async () => {
    const room = newRoom();
    const anna = await join(server.url, room);
    const ben = await join(server.url, room, { name: 'Ben' });
    ben.vanish();
    const back = await join(server.url, room, { name: 'Ben', key: ben.key });
    assert.equal(back.id, ben.id);
    assert.equal(back.key, ben.key);
    assert.equal(back.joined.members.length, 2);
    const other = await join(server.url, room, { name: 'Carla' });
    other.vanish();
    await anna.rooms.inbox.next('room:left', (left) => left.member.id === other.id);
    assert.deepEqual(
      anna.rooms.inbox.all('room:left').map((left) => left.member.id),
      [other.id],
    );
  });

  test('a key that the server does not know makes a new member', async () => {
    const room = newRoom();
    const anna = await join(server.url, room);
    const elsewhere = await join(server.url, newRoom());
    const key = 'f'.repeat(32);
    const ben = await join(server.url, room, { key });
    assert.equal(ben.key, key, 'a client need not learn another key after a restart of the server');
    const carla = await join(server.url, room, { key: 'of another form' });
    assert.notEqual(carla.key, 'of another form');
    assert.equal(new Set([anna.id, ben.id, carla.id]).size, 3);
    const foreign = await join(server.url, room, { key: elsewhere.key });
    assert.equal(foreign.joined.members.length, 4);
  });

  test('two windows of one member are one member, here until both are gone', async () => {
    const room = newRoom();
    const anna = await join(server.url, room);
    const ben = await join(server.url, room, { name: 'Ben' });
    const second = await join(server.url, room, { name: 'Ben', key: ben.key });
    assert.equal(second.joined.members.length, 2);
    const { id } = await say(anna, 'hello both');
    for (const window of [ben, second]) await window.rooms.inbox.next('room:message', (m) => m.id === id);
    ben.vanish();
    const carla = await join(server.url, room);
    carla.vanish();
    await anna.rooms.inbox.next('room:left', (left) => left.member.id === carla.id);
    second.vanish();
    await anna.rooms.inbox.next('room:left', (left) => left.member.id === ben.id);
  });

  test('one link may be in several rooms, and each hears its own', async () => {
    const rooms = [newRoom(), newRoom()];
    const first = await join(server.url, rooms[0]);
    const second = await join(server.url, rooms[1], { link: first.link });
    await say(first, 'to the first');
    await say(second, 'to the second');
    await first.rooms.inbox.next('room:message', (m) => m.text === 'to the second');
    assert.deepEqual(
      first.rooms.inbox.all('room:message').map(({ room, text }) => [room, text]),
      [
        [rooms[0], 'to the first'],
        [rooms[1], 'to the second'],
      ],
    );
  });

  test('a room with a passphrase opens to those who know it', async () => {
    const room = newRoom();
    const anna = await join(server.url, room, { passphrase: 'open sesame' });
    const { rooms } = await connect(server.url);
    refused(await rooms.ask('room:join', { room }), 'not_allowed');
    refused(await rooms.ask('room:join', { room, passphrase: 'open sesam' }), 'not_allowed');
    refused(await rooms.ask('room:message', { room, text: 'hello?' }), 'room_not_found');
    await say(anna, 'among us');
    refused(await rooms.ask('room:message', { room, text: 'hello??' }), 'room_not_found');
    assert.deepEqual(rooms.inbox.all('room:message'), [], 'heard from outside');
    const joined = ok(await rooms.ask('room:join', { room, passphrase: 'open sesame' }));
    assert.equal(joined.members.length, 2);
    assert.equal(
      (await join(server.url, room, { key: joined.key })).id,
      joined.member.id,
      'a known key is enough',
    );
    assert.equal((await anna.rooms.inbox.next('room:joined')).member.id, joined.member.id);
  });

  test('an addressed drop is seen by its sender and its receivers alone', async () => {
    const room = newRoom();
    const [anna, ben, carla] = [
      await join(server.url, room, { name: 'Anna' }),
      await join(server.url, room, { name: 'Ben' }),
      await join(server.url, room, { name: 'Carla' }),
    ];
    const { drop, transfers } = await anna.offer([{ name: 'for-ben.txt', size: 5 }], { to: [ben.id] });
    await ben.offered(drop);
    await anna.offered(drop);
    await ben.accept(transfers[0].transfer);
    await anna.receiverState(transfers[0].transfer, ben, 'accepted');
    const { id } = await say(anna, 'a word for all');
    await carla.rooms.inbox.next('room:message', (message) => message.id === id);
    assert.deepEqual(carla.rooms.inbox.all('drop:offered'), []);
    assert.deepEqual(carla.rooms.inbox.all('transfer:status'), []);
    const [{ transfer }] = transfers;
    refused(await carla.rooms.ask('transfer:accept', { transfer }), 'transfer_not_found');
    refused(await carla.rooms.ask('transfer:accept', { drop }), 'drop_not_found');
    const late = await join(server.url, room);
    assert.deepEqual(late.joined.drops, []);
    const again = await join(server.url, room, { key: ben.key });
    assert.deepEqual(
      again.joined.drops.map((d) => d.drop),
      [drop],
    );
  });

  test('an event that fails and asked for no answer is answered with a problem', async () => {
    const { rooms, transfers } = await connect(server.url);
    rooms.tell('room:message', { room: newRoom(), text: 'hello' });
    const problem = refused(await rooms.inbox.next('problem'), 'room_not_found');
    assert.equal(problem.data.event, 'room:message');
    transfers.tell('sink:open', { token: 'f'.repeat(32) });
    assert.equal(
      refused(await transfers.inbox.next('problem'), 'transfer_not_found').data.event,
      'sink:open',
    );
    transfers.tell('pull', { transfer: 7 });
    assert.equal(refused(await transfers.inbox.next('problem'), 'bad_request').data.event, 'pull');
  });
});

test('a full room takes nobody more, but its own members again', async () => {
  const server = await startServer({ ROOMS__MAX_MEMBERS: '2' });
  try {
    const room = newRoom();
    const anna = await join(server.url, room);
    await join(server.url, room);
    const { rooms } = await connect(server.url);
    refused(await rooms.ask('room:join', { room }), 'room_full');
    const back = await join(server.url, room, { key: anna.key });
    assert.equal(back.id, anna.id);
    ok(await rooms.ask('room:join', { room: newRoom() }));
  } finally {
    closeAll();
    await server.stop();
  }
});

test('a member without a link is shown as such while the others wait for it', async () => {
  const server = await startServer();
  try {
    const room = newRoom();
    const anna = await join(server.url, room);
    const ben = await join(server.url, room);
    ben.vanish();
    const presence = async () => {
      const { members } = ok(await anna.rooms.ask('room:join', { room, key: anna.key }));
      return members.find((member) => member.id === ben.id);
    };
    await until('Ben is shown as not online', async () => (await presence()).online === false);
    await join(server.url, room, { key: ben.key });
    assert.equal((await presence()).online, true);
    assert.deepEqual(anna.rooms.inbox.all('room:left'), []);
  } finally {
    closeAll();
    await server.stop();
  }
});

test('a room remembers as many messages as it is told to', async () => {
  const server = await startServer({ ROOMS__HISTORY: '2' });
  try {
    const room = newRoom();
    const anna = await join(server.url, room);
    for (const text of ['one', 'two', 'three']) await say(anna, text);
    const late = await join(server.url, room);
    assert.deepEqual(
      late.joined.messages.map((message) => message.text),
      ['two', 'three'],
    );
  } finally {
    closeAll();
    await server.stop();
  }
});

async function say(person, text) {
  return ok(await person.rooms.ask('room:message', { room: person.room, text }));
}
