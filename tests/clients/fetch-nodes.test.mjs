// Downloads by one of two nodes: the asker is told wherever it is, and a fetch outlives the node that did it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MIB, randomFile } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { arrives, enter } from './harness/cluster-people.mjs';
import { ok, refused } from './harness/envelope.mjs';
import { Fetcher } from './harness/fetcher.mjs';
import { from, good, pour, startOrigin } from './harness/origin.mjs';
import { newRoom } from './harness/people.mjs';
import { until } from './harness/wait.mjs';

const SIZE = 24 * MIB + 3;
const [A, B] = [0, 1];

let cluster;
let origin;
before(async () => {
  origin = await startOrigin();
  const settings = { FETCH__ENABLED: 'true', FETCH__ALLOW_PRIVATE: 'true', TRANSFERS__STALL_TIMEOUT: '1s' };
  cluster = await startCluster({ nodes: 2, settings });
});
after(async () => {
  closeAll();
  await cluster?.stop();
  await origin?.stop();
});

/** Someone who asks at one node, and someone who receives at another. */
async function two(asks, receives) {
  const room = newRoom();
  const asker = await enter(cluster.urls(asks), room);
  const receiver = await enter(cluster.urls(receives), room);
  return { asker, receiver, fetcher: await Fetcher.of(cluster.nodes[asks].url, asker) };
}

test('an asker that came back at another node finds its fetch there, and is told how it goes', async () => {
  const { asker, receiver, fetcher } = await two(A, B);
  const file = origin.serve('/moved.bin', { bytes: randomFile(SIZE) });
  const started = await fetcher.start(file.url, { resource: 'moved' });
  const sink = await receiver.receive(started.transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  fetcher.close();
  const there = await Fetcher.of(cluster.nodes[B].url, asker);
  assert.deepEqual(await there.start(file.url, { resource: 'moved' }), started);
  refused(await there.ask(`${file.url}?other`, { resource: 'moved' }), 'bad_request');
  await there.progress(started.transfer, ({ received }) => received >= MIB);
  sink.go();
  await arrives(sink, file.bytes);
  const told = await there.complete(started.transfer);
  assert.equal(told.name, 'moved.bin');
  assert.ok(file.taken < SIZE + 16 * MIB, `the origin sent ${file.taken} bytes`);
});

test('a fetch can be stopped from another node', async () => {
  const { asker, receiver, fetcher } = await two(A, A);
  const file = origin.serve('/stopped.bin', { bytes: randomFile(SIZE) });
  const { transfer } = await fetcher.start(file.url, { resource: 'stopped' });
  const sink = await receiver.receive(transfer, { stopAt: MIB });
  await sink.reaches(MIB);
  const there = await Fetcher.of(cluster.nodes[B].url, asker);
  await there.start(file.url, { resource: 'stopped' });
  ok(await there.wire.ask('fetch:stop', { resource: 'stopped' }));
  for (const link of [fetcher, there]) assert.equal((await link.failed(transfer)).error, undefined);
  await until('the origin is let go', () => file.open === 0);
});

test('why a fetch failed is known at the other node too', async () => {
  const { asker, receiver, fetcher } = await two(A, B);
  let cut = false;
  const file = origin.serve('/changes.bin', {
    bytes: randomFile(SIZE),
    answer(request, response, its) {
      if (cut) return good(request, response, { ...its, tag: '"another"' });
      cut = true;
      response.writeHead(206, { etag: its.tag, 'content-range': `bytes ${from(request)}-${SIZE - 1}/${SIZE}` });
      pour(response, its.bytes.subarray(0, MIB), its, () => response.destroy());
    },
  });
  const { transfer } = await fetcher.start(file.url, { resource: 'changes' });
  const there = await Fetcher.of(cluster.nodes[B].url, asker);
  await there.start(file.url, { resource: 'changes' });
  await receiver.receive(transfer);
  for (const link of [fetcher, there]) {
    const { error, msg } = await link.failed(transfer);
    assert.equal(error, 'fetch_failed');
    assert.match(msg, /changed/);
  }
});

test('two nodes that are asked for the same at once start it once', async () => {
  const { asker, receiver, fetcher } = await two(A, B);
  const there = await Fetcher.of(cluster.nodes[B].url, asker);
  const file = origin.serve('/twice.bin', { bytes: randomFile(MIB) });
  const asks = [fetcher, there].map((link) => link.start(file.url, { resource: 'twice' }));
  const [one, other] = await Promise.all(asks);
  assert.deepEqual(one, other);
  await arrives(await receiver.receive(one.transfer), file.bytes);
  for (const link of [fetcher, there]) await link.complete(one.transfer);
});

for (const how of ['kill', 'terminate']) {
  test(`a fetch whose node ends (${how}) goes on where its asker is, from where its receivers are`, async () => {
    const { asker, receiver, fetcher } = await two(A, B);
    const file = origin.serve(`/${how}.bin`, { bytes: randomFile(SIZE) });
    const started = await fetcher.start(file.url, { resource: how });
    const sink = await receiver.receive(started.transfer, { stopAt: 12 * MIB });
    await sink.reaches(12 * MIB);
    await cluster.nodes[A][how]();
    fetcher.close();
    const there = await Fetcher.of(cluster.nodes[B].url, asker);
    assert.deepEqual(await there.start(file.url, { resource: how }), started);
    sink.go();
    await arrives(sink, file.bytes);
    await there.complete(started.transfer);
    assert.ok(file.requests.length > 1, 'another node asked');
    const began = file.requests.slice(1).map(({ range }) => Number(/\d+/.exec(range)[0]));
    assert.ok(Math.min(...began) >= 4 * MIB, `it began anew: ${began}`);
    await cluster.nodes[A].start();
  });
}
