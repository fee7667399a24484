// The balancers' files in config/ before three nodes that run: each carries every kind of client, and the largest
// message there may be; those that route by a node's name do so, even where nodes cannot help one another.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { MIB, randomFile } from './harness/bytes.mjs';
import { CLIENTS, closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { BALANCERS, startBalancer } from './harness/cluster-balancer.mjs';
import { finish, join, newRoom } from './harness/people.mjs';
import { beginPut } from './harness/put.mjs';
import { until, within } from './harness/wait.mjs';

/** The largest chunk there may be. In base64, as long polling has it, it makes nearly 7 MiB of one message. */
const CHUNK = 5 * MIB;
const SIZE = 2 * CHUNK + 7;

after(closeAll);

for (const file of BALANCERS) {
  describe(file, () => {
    test('a file goes from one to another, by every kind of client', async (t) => {
      const url = await balanced(t, file);
      for (const [name, client] of Object.entries(CLIENTS)) await t.test(name, () => carries(url, client));
      await t.test('curl to curl, as it comes', () => streams(url));
      await t.test('an upload that nobody takes stays with its sender', () => staysAway(url));
    });
  });
}

for (const file of BALANCERS.filter((name) => name.includes('by-node'))) {
  test(`${file}: no node is asked for what is another's`, async (t) => {
    // Nodes that nobody can reach for the others' sake: a request in the wrong place would be refused.
    const url = await balanced(t, file, { SERVER__PEER_URL: 'none' });
    for (let times = 0; times < 6; times += 1) await carries(url, CLIENTS['socket.io-client 4 (polling)']);
    await carries(url, CLIENTS['socket.io-client 4 (upgrade)']);
  });
}

async function balanced(t, file, settings = {}) {
  const cluster = await startCluster({ nodes: 3, settings });
  t.after(() => cluster.stop());
  const balancer = await startBalancer(file, cluster.nodes);
  t.after(() => balancer.stop());
  t.after(closeAll);
  await cluster.ready();
  return balancer.url;
}

/** Every line of an upload is at the other end before the next is sent. */
async function streams(url) {
  const address = `${url}/rooms/${newRoom()}/log.txt`;
  const put = beginPut(address);
  await put.send('first\n');
  const download = await fetch(`${address}?wait=30s`);
  assert.equal(download.status, 200);
  const reader = download.body.pipeThrough(new TextDecoderStream()).getReader();
  for (const line of ['first\n', 'second\n', 'third\n']) {
    if (line !== 'first\n') await put.send(line);
    assert.equal((await within(reader.read(), 'the next line')).value, line);
  }
  put.end();
  assert.equal((await within(reader.read(), 'the end')).done, true);
  assert.equal((await put.answer()).status, 201);
}

/** Neither the balancer nor the server takes what nobody asked for, and the refusal gets through. */
async function staysAway(url) {
  const room = newRoom();
  const receiver = await join(url, room);
  const put = beginPut(`${url}/rooms/${room}/big.bin`, { 'content-length': 400 * MIB });
  const { transfers } = await receiver.rooms.inbox.next('drop:offered');
  let left = 0;
  const pump = async () => {
    for (const piece = Buffer.alloc(MIB); left < 400 * MIB; left += MIB) await put.send(piece);
  };
  pump().catch(() => {});
  let [last, still] = [-1, 0];
  await until('it does not flow any more', () => {
    still = left === last ? still + 1 : 0;
    last = left;
    return still > 100;
  });
  assert.ok(left < 64 * MIB, `${left} bytes were taken that nobody asked for`);
  await receiver.rooms.ask('transfer:reject', { transfer: transfers[0].transfer });
  assert.equal((await put.answer()).status, 409);
}

async function carries(url, client) {
  const room = newRoom();
  const [sender, receiver] = await Promise.all([join(url, room, { client }), join(url, room, { client })]);
  const bytes = randomFile(SIZE);
  const { transfer } = await sender.send(bytes, { chunk: CHUNK });
  await finish(await receiver.receive(transfer, { window: 2 * CHUNK }), bytes);
  await sender.state(transfer, 'complete');
  for (const { rooms } of [sender, receiver]) assert.equal(rooms.drops, 0, 'its link was lost');
}
