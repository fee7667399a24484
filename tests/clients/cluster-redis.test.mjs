// Redis fails in the middle of transfers: killed and empty again, its subscriptions cut, standing still, or out
// of one node's reach. What is local to a node goes on meanwhile, and everything else by itself afterwards,
// without any client losing its link.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { MIB, randomFile } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { lasting, startCluster } from './harness/cluster.mjs';
import { startScene } from './harness/cluster-outage.mjs';
import { arrives, enter } from './harness/cluster-people.mjs';
import { newRoom } from './harness/people.mjs';
import { until } from './harness/wait.mjs';

after(closeAll);

describe('Redis fails', () => {
  // Needs: reconnection and resubscription, records saved and rooms' logs seeded anew by who knows them.
  test('killed, and back empty after 3 s', async (t) => {
    const scene = await startScene(t);
    const { redis, nodes } = scene.cluster;
    await redis.kill();
    const killed = Date.now();
    await scene.localGoesOn();
    for (const node of nodes)
      await until(`node ${node.name} says that it is not ready`, async () => (await node.readiness()) === 503);
    await lasting(3000 - (Date.now() - killed));
    await redis.start();
    await scene.acrossGoesOn(Date.now());
    await scene.allIsWell();
    scene.assertNobodyWasCut();
  });

  test('killed twice in short order', async (t) => {
    const scene = await startScene(t);
    const { redis } = scene.cluster;
    await redis.kill();
    await redis.start();
    await redis.kill();
    await redis.start();
    await scene.acrossGoesOn(Date.now());
    await scene.allIsWell();
    scene.assertNobodyWasCut();
  });

  // Needs: an inbox that is subscribed again, and the Hello that makes others ask for what was lost.
  test('its subscriptions are killed, three times', async (t) => {
    const scene = await startScene(t);
    for (let times = 0; times < 3; times += 1) {
      const killed = Number(await scene.cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      assert.ok(killed >= 2, 'no subscription was killed');
      await scene.sink.reaches(((4 + times) * scene.bytes.length) / 8);
    }
    await scene.acrossGoesOn(Date.now());
    await scene.localGoesOn();
    await scene.allIsWell();
    scene.assertOneOrder();
    scene.assertNobodyWasCut();
  });

  // Needs: connections for commands that come back by themselves.
  test('all its connections are killed', async (t) => {
    const scene = await startScene(t);
    await scene.cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await scene.cluster.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await scene.acrossGoesOn(Date.now());
    await scene.allIsWell();
    scene.assertOneOrder();
    scene.assertNobodyWasCut();
  });

  // Needs: time-outs on every command, so that nothing local waits for Redis.
  for (const [what, ...words] of [
    ['its clients are paused for 5 s', 'CLIENT', 'PAUSE', '5000', 'ALL'],
    ['it sleeps for 5 s', 'DEBUG', 'SLEEP', '5'],
  ]) {
    test(what, async (t) => {
      const scene = await startScene(t);
      const since = Date.now();
      const paused = scene.cluster.redis.command(...words);
      await scene.localGoesOn();
      await paused;
      await lasting(5000 - (Date.now() - since));
      await scene.acrossGoesOn(Date.now());
      await scene.allIsWell();
      scene.assertNobodyWasCut();
    });
  }

  // Needs: a node that is out of reach is not dead, and is heard again. The first node is the one cut off.
  for (const [what, fault] of [
    ['nothing passes', (link) => link.hold()],
    ['connections are refused', (link) => link.refuse()],
  ]) {
    test(`out of reach for one node alone, for 5 s: ${what}`, async (t) => {
      const scene = await startScene(t, { cuttable: true });
      const [{ redisLink }] = scene.cluster.nodes;
      fault(redisLink);
      const since = Date.now();
      await scene.localGoesOn();
      await lasting(5000 - (Date.now() - since));
      redisLink.pass();
      await scene.acrossGoesOn(Date.now());
      await scene.allIsWell();
      scene.assertNobodyWasCut();
    });
  }

  test('out of reach for the receiver\'s node alone, for 5 s', async (t) => {
    const scene = await startScene(t, { cuttable: true });
    const [, { redisLink }] = scene.cluster.nodes;
    redisLink.hold();
    const since = Date.now();
    await scene.localGoesOn();
    await lasting(5000 - (Date.now() - since));
    redisLink.pass();
    await scene.acrossGoesOn(Date.now());
    await scene.allIsWell();
    scene.assertNobodyWasCut();
  });

  test('a node that starts while Redis is away serves as soon as it is there', async (t) => {
    const cluster = await startCluster({ nodes: 2 });
    t.after(() => cluster.stop());
    const [a, b] = cluster.nodes;
    await b.kill();
    await cluster.redis.kill();
    await b.startAgain();
    await until('it says that it is not ready', async () => (await b.readiness()) === 503);
    await cluster.redis.start();
    await cluster.ready();
    const room = newRoom();
    const [sender, receiver] = [await enter([a.url], room), await enter([b.url], room)];
    const bytes = randomFile(MIB);
    const { transfer } = await sender.send(bytes);
    await arrives(await receiver.receive(transfer), bytes);
  });

  // Needs: presence by members and not by nodes: those of a node that nobody hears have left for the others
  // after the grace, and are here again, once, as soon as it is heard.
  test('out of reach for one node for longer than the presence grace: its people come back by themselves', async (t) => {
    const scene = await startScene(t, { cuttable: true, grace: '1s' });
    const { receiver, sender, neighbour } = scene;
    const [{ redisLink }] = scene.cluster.nodes;
    redisLink.hold();
    for (const { id } of [sender, neighbour])
      await receiver.rooms.inbox.next('room:left', ({ member }) => member.id === id);
    redisLink.pass();
    const seen = async () => (await receiver.look()).members.filter(({ online }) => online).length === 3;
    await until('all are here again', seen);
    await scene.acrossGoesOn(Date.now());
    const id = await sender.say('here again');
    await receiver.rooms.inbox.next('room:message', (message) => message.id === id);
    scene.assertNobodyWasCut();
  });
});
