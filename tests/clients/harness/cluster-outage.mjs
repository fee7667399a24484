// What must hold while Redis is away, whatever took it away, and once it is back: the same for every such
// fault, so that each fault is a few lines.

import assert from 'node:assert/strict';
import { askedAgain } from './again.mjs';
import { MIB, randomFile } from './bytes.mjs';
import { startCluster } from './cluster.mjs';
import { arrives, assertSameStory, enter, watch } from './cluster-people.mjs';
import { newRoom } from './people.mjs';
import { until } from './wait.mjs';

const SIZE = 96 * MIB + 7;
const LOCAL_SIZE = 24 * MIB + 1;
const WINDOW = 8 * MIB;
const BUDGET = 64;
/** MiB of a node beyond what transfers hold: the program, its connections, and what the allocator keeps. */
const BESIDES = 160;
const LOCAL_WITHIN = 5000;
const [A, B] = [0, 1];

/**
 * Two nodes: a file goes from the first to the second, one goes between two people of the first and is held
 * in its middle, and one person at each node stays to talk. The room's presence grace is `grace`.
 */
export async function startScene(t, { grace = '10s', cuttable = false } = {}) {
  const settings = { MEMORY__BUDGET: `${BUDGET}MiB`, ROOMS__PRESENCE_GRACE: grace };
  const cluster = await startCluster({ nodes: 2, settings, cuttable });
  t.after(() => cluster.stop());
  const room = newRoom();
  const [a, b] = [[cluster.nodes[A].url], [cluster.nodes[B].url]];
  const people = {
    sender: await enter(a, room, { name: 'sender' }),
    receiver: await enter(b, room, { name: 'receiver' }),
    neighbour: await enter(a, room, { name: 'neighbour' }),
  };
  const scene = new Scene(t, cluster, room, people);
  await scene.begin();
  return scene;
}

class Scene {
  constructor(t, cluster, room, people) {
    Object.assign(this, { t, cluster, room, ...people });
    this.people = Object.values(people);
  }

  /** Brings both files into their middles. */
  async begin() {
    this.bytes = randomFile(SIZE);
    this.across = await this.sender.send(this.bytes);
    this.sink = await this.receiver.receive(this.across.transfer);
    this.localBytes = randomFile(LOCAL_SIZE);
    this.local = await this.sender.send(this.localBytes);
    this.localSink = await this.neighbour.receive(this.local.transfer, { stopAt: LOCAL_SIZE / 3 | 0 });
    await this.localSink.reaches(LOCAL_SIZE / 3 | 0);
    await this.sink.reaches(SIZE / 3);
    this.moved = watch(this.across.transfer, this.across.source, this.sink);
  }

  /** While it is away: what is local to the first node goes on at its pace, old and new. */
  async localGoesOn() {
    const since = Date.now();
    const { sender, neighbour } = this;
    this.localSink.go();
    await arrives(this.localSink, this.localBytes, LOCAL_WITHIN);
    const id = await neighbour.say('said while Redis is away');
    await sender.rooms.inbox.next('room:message', (message) => message.id === id);
    const bytes = randomFile(MIB);
    const { drop, transfer } = await sender.send(bytes, { name: 'offered while Redis is away' });
    await neighbour.offered(drop);
    await arrives(await neighbour.receive(transfer), bytes, LOCAL_WITHIN);
    await neighbour.state(transfer, 'complete');
    const took = Date.now() - since;
    this.t.diagnostic(`what is local took ${took} ms`);
    assert.ok(took < LOCAL_WITHIN, `what is local took ${took} ms`);
    this.offeredMeanwhile = { drop, transfer, bytes };
  }

  /** Once it is back, at `since`: bytes across nodes move soon, and the file is whole. */
  async acrossGoesOn(since, within = 2000) {
    const took = await this.moved(since);
    this.t.diagnostic(`bytes moved ${took} ms after the end of the fault`);
    assert.ok(took < within, `bytes moved only ${took} ms after the end of the fault`);
    await arrives(this.sink, this.bytes);
    await this.sender.state(this.across.transfer, 'complete');
    const again = this.across.source.uploaded - SIZE;
    this.t.diagnostic(`sent again: ${again} bytes; ${askedAgain()}`);
    assert.ok(again <= 2 * WINDOW, `${again} bytes were sent again`);
  }

  /** Both nodes know the same: members, words, offers, and who comes now learns it at either. */
  async allIsWell() {
    const { sender, receiver, neighbour, cluster, room } = this;
    const texts = [];
    for (const person of this.people) texts.push(`after the fault, from ${person.id}`);
    await Promise.all(this.people.map((person, index) => person.say(texts[index])));
    const heardAll = () => this.people.every(({ heard }) => texts.every((text) => heard.includes(text)));
    await until('all have heard all', heardAll, () => JSON.stringify(this.people.map(({ heard }) => heard)));
    assert.deepEqual(new Set(receiver.heard), new Set(sender.heard), 'words were lost');
    if (this.offeredMeanwhile) {
      const { drop, transfer, bytes } = this.offeredMeanwhile;
      await receiver.offered(drop);
      await arrives(await receiver.receive(transfer), bytes);
    }
    const late = [];
    for (const node of cluster.nodes) late.push(await enter([node.url], room));
    const ids = [sender, receiver, neighbour, ...late].map(({ id }) => id).sort();
    for (const person of late) {
      const { members, drops, messages } = await person.look();
      assert.deepEqual(members.map(({ id }) => id).sort(), ids, 'members at a node');
      assert.ok(
        members.every(({ online }) => online),
        'somebody who is here is shown as away',
      );
      const first = await late[0].look();
      assert.deepEqual(drops, first.drops);
      assert.deepEqual(messages, first.messages);
    }
    for (const person of this.people) {
      assert.deepEqual(person.rooms.inbox.all('room:left'), [], 'somebody left who was there all the time');
      assert.deepEqual(person.faults, []);
    }
    for (const node of cluster.nodes) {
      const { most } = node.server.memory();
      assert.ok(most < BUDGET + BESIDES, `node ${node.name} took ${most} MiB`);
    }
    await cluster.ready();
  }

  /** Whoever kept their links all the time heard the same in the same order. */
  assertOneOrder() {
    assertSameStory(this.people);
  }

  /** Nobody lost a link: the fault was behind the nodes. */
  assertNobodyWasCut() {
    for (const { rooms, transfers } of this.people) assert.equal(rooms.drops + transfers.drops, 0, 'a link was lost');
  }
}
