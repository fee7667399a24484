// Twenty transfers over three nodes and nginx, and every fault there is, one upon the other, while all of them
// run. Each file is whole in the end, and no node has taken more memory than it may.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { askedAgain } from './harness/again.mjs';
import { MIB, randomFile } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { lasting, startCluster } from './harness/cluster.mjs';
import { startNginx } from './harness/cluster-balancer.mjs';
import { arrives, enter } from './harness/cluster-people.mjs';
import { newRoom } from './harness/people.mjs';

const TRANSFERS = 20;
const SIZE = 16 * MIB + 11;
const WINDOW = 8 * MIB;
const BUDGET = 96;
/** MiB of a node beyond what transfers hold: the program, its connections, and what the allocator keeps. */
const BESIDES = 192;
const DEADLINE = 150_000;

after(closeAll);

test('all faults with twenty transfers running', { timeout: 200_000 }, async (t) => {
  const cluster = await startCluster({
    nodes: 3,
    cuttable: true,
    settings: { MEMORY__BUDGET: `${BUDGET}MiB`, ROOMS__PRESENCE_GRACE: '15s' },
  });
  t.after(() => cluster.stop());
  const nginx = await startNginx(cluster.nodes);
  t.after(() => nginx.stop());
  const { nodes, redis } = cluster;
  const pubsub = () => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const faults = [
    ['a node is killed', () => killed(nodes[0])],
    ['subscriptions are killed', pubsub],
    ['nginx is restarted', () => nginx.restart()],
    ['one node is cut off from Redis', () => cutOff(nodes[1], 3000)],
    ['Redis is killed', () => restarted(redis, 3000)],
    ['Redis stands still', () => redis.command('DEBUG', 'SLEEP', '3')],
    ['Redis is killed, and then a node', () => restarted(redis, 500).then(() => soon(() => killed(nodes[2])))],
    ['two nodes are killed, subscriptions too, and nginx is restarted', () => Promise.all([killed(nodes[0]), killed(nodes[1]), pubsub(), nginx.restart()])],
  ];
  const runs = await Promise.all(Array.from({ length: TRANSFERS }, (_, index) => run(cluster, nginx, index)));
  for (const [step, [what, fault]] of faults.entries()) {
    const since = Date.now();
    const part = Math.floor(((step + 1) * SIZE) / (faults.length + 1));
    for (const { sink } of runs) sink.go(part);
    await fault();
    const over = Date.now();
    await Promise.all(runs.map(({ sink }) => sink.reaches(part)));
    t.diagnostic(`${what}: it lasted ${over - since} ms, all went on ${Date.now() - over} ms after`);
  }
  for (const { sink } of runs) sink.go();
  await Promise.all(runs.map(({ sink, bytes }) => arrives(sink, bytes, DEADLINE)));
  for (const { sender, receiver, source, transfer } of runs) {
    await sender.state(transfer, 'complete');
    for (const person of [sender, receiver]) assert.deepEqual(person.faults, []);
    assert.deepEqual(source.faults, []);
    assert.deepEqual(receiver.rooms.inbox.all('room:left'), [], 'the sender was thought to have left');
    const again = source.uploaded - SIZE;
    assert.ok(again <= (faults.length + 2) * 2 * WINDOW, `${again} bytes were sent again`);
  }
  const again = runs.reduce((sum, { source }) => sum + source.uploaded - SIZE, 0);
  t.diagnostic(`sent again: ${(again / MIB).toFixed(1)} MiB of ${(TRANSFERS * SIZE) / MIB}; ${askedAgain()}`);
  for (const { name, server } of nodes) {
    const { most } = server.memory();
    t.diagnostic(`node ${name} took ${most.toFixed(0)} MiB at most`);
    assert.ok(most < BUDGET + BESIDES, `node ${name} took ${most} MiB`);
  }
});

/** One transfer, in a room of its own: every other one through nginx, the rest straight to the nodes. */
async function run(cluster, nginx, index) {
  const urls = (first) => (index % 2 === 0 ? [nginx.url] : cluster.urls(first % 3));
  const room = newRoom();
  const sender = await enter(urls(index), room, { name: 'sender' });
  const receiver = await enter(urls(index + 1 + (index % 3)), room, { name: 'receiver' });
  const bytes = randomFile(SIZE);
  const { transfer, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: 1000 });
  await sink.reaches(1000);
  return { sender, receiver, bytes, transfer, source, sink };
}

async function killed(node) {
  await node.kill();
  await lasting(1000);
  await node.startAgain();
}

/** Long enough for the others to have told the new Redis what they know: with the last who knows, all is lost. */
async function soon(fault) {
  await lasting(1500);
  await fault();
}

async function cutOff(node, ms) {
  node.redisLink.hold();
  await lasting(ms);
  node.redisLink.pass();
}

async function restarted(redis, ms) {
  await redis.kill();
  await lasting(ms);
  await redis.start();
}
