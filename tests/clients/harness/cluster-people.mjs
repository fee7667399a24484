// People whose nodes die: each knows several addresses, goes to the next when the link is lost, comes back
// into the room with the key, and opens again what it sent or received. All by the protocol reference.

import assert from 'node:assert/strict';
import { Manager } from 'socket.io-client';
import { askAgain } from './again.mjs';
import { sha256 } from './bytes.mjs';
import { connect } from './clients.mjs';
import { ok } from './envelope.mjs';
import { Person } from './people.mjs';
import { Sink } from './sink.mjs';
import { Source } from './source.mjs';
import { until } from './wait.mjs';

/** How long a fault may last for those who ask again. */
const PATIENCE_AFTER_FAULTS = 60_000;

/** Enters a room at the first of `urls`; after a loss of the link, at the next. */
export async function enter(urls, room, { transports = ['websocket'], ...words } = {}) {
  const options = { transports, reconnectionDelay: 100, reconnectionDelayMax: 500 };
  const link = await connect(urls[0], { Manager, options });
  const joined = await askAgain(link.rooms, 'room:join', { room, ...words });
  return new Traveller(link, room, ok(joined), urls, words);
}

class Traveller extends Person {
  /** The answers to all joins, the first one too. */
  joins;
  /** Joins that were refused. */
  faults = [];
  /** When it last was in the room again, by the clock of `Date.now`. */
  backAt = 0;
  #words;
  #urls;
  #turn = 0;

  constructor(link, room, joined, urls, words) {
    super(link, room, joined);
    this.#words = words;
    this.joins = [joined];
    this.#urls = urls;
    link.manager.on('reconnect_attempt', () => {
      this.#turn += 1;
      link.manager.uri = this.#urls[this.#turn % this.#urls.length];
    });
    this.rooms.socket.on('connect', () => this.#rejoin());
  }

  /** Cuts the link as a bad network does; it comes back at the first of `urls`. */
  moveTo(urls) {
    this.#urls = urls;
    this.#turn = -1;
    this.link.manager.engine.transport.ws._socket.resetAndDestroy();
  }

  /** Once it has been in the room anew `times` times, all in all. */
  async back(times = 1) {
    const seen = () => `it joined ${this.joins.length} times; faults: ${this.faults}`;
    await until(`${this.id} is back`, () => this.joins.length > times, seen);
  }

  /** Offers one file and serves it, whatever happens to the link. */
  async send(bytes, { name = 'file.bin', live = false, ready, to, chunk } = {}) {
    const files = [{ name, size: live ? null : bytes.length }];
    const taken = await this.offer(files, to && { to });
    const source = new Source(this.transfers, { chunk, patience: PATIENCE_AFTER_FAULTS });
    await source.serve(taken.transfers[0], bytes, { ready: ready ?? (live ? 0 : bytes.length) });
    return { drop: taken.drop, ...taken.transfers[0], source };
  }

  /** Accepts a transfer, asking again after a fault. */
  async accept(transfer) {
    return ok(await askAgain(this.rooms, 'transfer:accept', { transfer }));
  }

  /** Accepts a transfer and opens it, whatever happens to the link. */
  async receive(transfer, options) {
    return this.open(await this.accept(transfer), options);
  }

  /** Opens what was accepted. */
  async open(accepted, options) {
    const sink = new Sink(this.transfers, accepted, { patience: PATIENCE_AFTER_FAULTS, ...options });
    await sink.open();
    return sink;
  }

  /** Says a word; its id. */
  async say(text) {
    return ok(await this.rooms.ask('room:message', { room: this.room, text })).id;
  }

  /** The texts of all messages, in the order in which it learnt of them, those it was told on joining too. */
  get heard() {
    const told = this.joins.flatMap((joined) => joined.messages);
    const texts = [...told, ...this.rooms.inbox.all('room:message')].map((m) => [m.id, m.text]);
    return [...new Map(texts).values()];
  }

  /** Asks the node that it is at who is in the room, by joining once more. */
  async look() {
    return ok(await askAgain(this.rooms, 'room:join', { room: this.room, key: this.key }));
  }

  async #rejoin() {
    const { drops } = this.rooms;
    const isStill = () => drops === this.rooms.drops;
    const words = { ...this.#words, room: this.room, key: this.key };
    const answer = await askAgain(this.rooms, 'room:join', words, { ms: PATIENCE_AFTER_FAULTS, isStill });
    if (answer?.code === 200) {
      this.backAt = Date.now();
      this.joins.push(answer.data);
    } else if (answer) this.faults.push(JSON.stringify(answer));
  }
}

/** Takes in the rest of a file, says so over whatever link there is, and checks that it is `bytes`. */
export async function arrives(sink, bytes, ms) {
  const got = await sink.whole(ms);
  assert.equal(sha256(got), sha256(bytes), 'the bytes differ');
  assert.deepEqual(sink.faults, []);
  ok(await sink.doneAtLast());
}

/**
 * Something that will be true of a transfer after a fault: bytes move again that nobody had asked for yet when
 * it happened. Take it before the fault; `moved()` resolves to the time in milliseconds since then.
 */
export function watch(transfer, source, sink) {
  const underWay = Math.max(source.granted.get(transfer) ?? 0, sink.asked);
  assert.ok(underWay < sink.size, 'the fault came too late to hit the transfer');
  return async (since, ms = 30_000) => {
    const moves = () => sink.held > underWay || sink.isWhole;
    await until(
      'bytes move again',
      moves,
      () => `it holds ${sink.held}, ${underWay} were under way; faults: ${[...sink.faults, ...source.faults]}`,
      ms,
    );
    return Date.now() - since;
  };
}

/** Checks that people who were there all the time heard the same words in the same order. */
export function assertSameStory(people) {
  const [first, ...others] = people.map((person) => person.rooms.inbox.all('room:message').map(({ text }) => text));
  for (const other of others) assert.deepEqual(other, first);
}
