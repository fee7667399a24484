// Real balancers before three nodes, as config/ has them, none of which needs stickiness: long polling through
// whichever node comes next, a balancer that is restarted, nodes that are restarted one after the other. No
// transfer fails.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { askedAgain } from './harness/again.mjs';
import { KIB, MIB, randomFile, sha256 } from './harness/bytes.mjs';
import { closeAll } from './harness/clients.mjs';
import { startCluster } from './harness/cluster.mjs';
import { BALANCERS, startBalancer } from './harness/cluster-balancer.mjs';
import { arrives, enter } from './harness/cluster-people.mjs';
import { curl } from './harness/curl.mjs';
import { newRoom } from './harness/people.mjs';

const SIZE = 12 * MIB + 5;
const WINDOW = 8 * MIB;
const DRAIN = 10_000;
const POLLING = { transports: ['polling'] };

after(closeAll);

for (const file of BALANCERS) {
  describe(file, () => {
    let cluster;
    let balancer;
    let url;
    before(async () => {
      cluster = await startCluster({ nodes: 3, settings: { SERVER__DRAIN_TIMEOUT: `${DRAIN}ms` } });
      balancer = await startBalancer(file, cluster.nodes);
      url = balancer.url;
    });
    after(async () => {
      closeAll();
      await balancer?.stop();
      await cluster?.stop();
    });

    // Needs: sids with the node's name, and nodes that forward to each other.
    for (const [how, options] of [
      ['long polling alone', POLLING],
      ['long polling and an upgrade', { transports: ['polling', 'websocket'] }],
      ['WebSocket', {}],
    ]) {
      test(`a file goes from one to another: ${how}`, async () => {
        const room = newRoom();
        const sender = await enter([url], room, options);
        const receiver = await enter([url], room, options);
        const bytes = randomFile(how === 'long polling alone' ? 3 * MIB + 1 : SIZE);
        const { transfer } = await sender.send(bytes);
        await arrives(await receiver.receive(transfer), bytes);
        await sender.state(transfer, 'complete');
        for (const person of [sender, receiver]) assert.equal(person.rooms.drops, 0, 'its link was lost');
      });
    }

    test('twenty that poll, and each hears each', async () => {
      const room = newRoom();
      const people = await Promise.all(Array.from({ length: 20 }, () => enter([url], room, POLLING)));
      const ids = await Promise.all(people.map((person) => person.say(`from ${person.id}`)));
      for (const { rooms } of people) {
        for (const id of ids) await rooms.inbox.next('room:message', (message) => message.id === id);
      }
      for (const { rooms } of people) assert.equal(rooms.drops, 0, 'a link was lost');
    });

    test('a download comes from any node', async () => {
      const room = newRoom();
      const sender = await enter([url], room);
      const receiver = await enter([url], room);
      const bytes = randomFile(2 * MIB);
      const { transfer } = await sender.send(bytes);
      const accepted = await receiver.accept(transfer);
      for (let times = 0; times < 4; times += 1) {
        const { status, body } = await curl(url + accepted.url);
        assert.equal(status, 200);
        assert.equal(sha256(body), sha256(bytes));
      }
    });

    // Needs: a member is known by its key and stays one for the presence grace, and sinks go on from what
    // they hold.
    test('the balancer is restarted in the middle of a transfer', async (t) => {
      const room = newRoom();
      const witness = await enter([cluster.nodes[2].url], room);
      const sender = await enter([url], room);
      const receiver = await enter([url], room);
      const bytes = randomFile(8 * SIZE);
      const { transfer, source } = await sender.send(bytes);
      const sink = await receiver.receive(transfer);
      await sink.reaches(bytes.length / 4);
      await balancer.restart();
      await sink.reaches(bytes.length / 2);
      await balancer.restart();
      await arrives(sink, bytes);
      await sender.state(transfer, 'complete');
      const again = source.uploaded - bytes.length;
      t.diagnostic(`sent again: ${again}; ${askedAgain()}`);
      assert.ok(again <= 2 * 2 * WINDOW, `${again} bytes were sent again`);
      for (const person of [sender, receiver]) {
        await person.back(2);
        assert.deepEqual(person.faults, []);
        const ids = new Set(person.joins.map(({ member }) => member.id));
        assert.equal(ids.size, 1, 'it came back as somebody else');
      }
      // What was under way to the witness before its own word has come.
      const id = await witness.say('all are back');
      await witness.rooms.inbox.next('room:message', (message) => message.id === id);
      assert.equal(witness.rooms.inbox.all('room:left').length, 0, 'somebody was thought to have left');
      assert.equal(witness.rooms.inbox.all('room:joined').length, 2, 'somebody joined who was there');
    });

    // Needs: a dead node's sid is answered so that the client begins anew at once.
    test('those who poll begin anew when a node is killed', async () => {
      const room = newRoom();
      const people = await Promise.all(Array.from({ length: 6 }, () => enter([url], room, POLLING)));
      await cluster.nodes[1].kill();
      await cluster.nodes[1].start();
      const bytes = randomFile(300 * KIB);
      const { transfer } = await people[0].send(bytes).catch(() => people[0].send(bytes));
      for (const person of people.slice(1)) await arrives(await person.receive(transfer), bytes);
      for (const person of people) assert.deepEqual(person.faults, []);
    });

    // Needs: clients that are told to move and transfers that are handed over.
    test('all nodes are restarted in turn: no transfer fails, and each ends in good time', async (t) => {
      const rooms = Array.from({ length: 6 }, () => newRoom());
      const runs = await Promise.all(rooms.map((room) => transferIn(room, [url])));
      for (const [step, node] of cluster.nodes.entries()) {
        // All are on their way when the node is told to end.
        for (const { sink, bytes } of runs) sink.go(Math.floor(((step + 1) * bytes.length) / 4));
        const { code, ms } = await node.terminate(DRAIN + 10_000);
        t.diagnostic(`node ${node.name} ended with ${code} after ${ms} ms`);
        assert.equal(code, 0);
        assert.ok(ms < DRAIN / 2, `it took ${ms} ms, although all could move at once`);
        await node.start();
        for (const { sink, bytes } of runs) await sink.reaches(Math.floor(((step + 1) * bytes.length) / 4));
      }
      for (const { sink } of runs) sink.go();
      await Promise.all(runs.map(({ sink, bytes }) => arrives(sink, bytes)));
      for (const { sender, receiver, transfer } of runs) {
        await sender.state(transfer, 'complete');
        const states = [sender, receiver].flatMap(({ statuses }) => statuses.map(({ data }) => data.state));
        assert.ok(!states.includes('failed'));
        for (const person of [sender, receiver]) assert.deepEqual(person.faults, []);
        assert.equal(receiver.rooms.inbox.all('room:left').length, 0, 'the sender was thought to have left');
      }
      t.diagnostic(askedAgain());
    });
  });
}

/** A transfer that waits for `go`, between two people who enter by `urls`. */
async function transferIn(room, urls) {
  const sender = await enter(urls, room);
  const receiver = await enter(urls, room);
  const bytes = randomFile(4 * MIB + 3);
  const { transfer, source } = await sender.send(bytes);
  const sink = await receiver.receive(transfer, { stopAt: 1000 });
  await sink.reaches(1000);
  return { room, sender, receiver, bytes, transfer, source, sink };
}
