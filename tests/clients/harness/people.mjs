// People in rooms, as tests speak of them: who joins, offers, accepts, and gets the whole file.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sha256 } from './bytes.mjs';
import { connect } from './clients.mjs';
import { ok } from './envelope.mjs';
import { Sink } from './sink.mjs';
import { Source } from './source.mjs';
import { until } from './wait.mjs';

const isOneOfMany = Number(process.env.ROOMDROP_NODES ?? 1) > 1;

/** A room that no other test is in. */
export const newRoom = () => `room-${randomUUID()}`;

/** Joins a room over a link of its own. `client` is one of `CLIENTS`; `link` brings one's own. */
export async function join(url, room, { client, link, ...words } = {}) {
  link ??= await connect(url, client);
  const joined = ok(await link.rooms.ask('room:join', { room, ...words }));
  return new Person(link, room, joined);
}

/** A member of a room, by a link of its own. */
export class Person {
  constructor(link, room, joined) {
    this.link = link;
    this.rooms = link.rooms;
    this.transfers = link.transfers;
    this.room = room;
    this.joined = joined;
    this.id = joined.member.id;
    this.key = joined.key;
  }

  /** Offers files; the answer of the server. A file is `{name, size}` and whatever else the protocol has. */
  async offer(files, words = {}) {
    return ok(await this.rooms.ask('drop:offer', { room: this.room, files, ...words }));
  }

  /** Offers one file and serves it; the drop, the transfer, and the source. */
  async send(bytes, { name = 'file.bin', chunk, live = false, ready, to, ...file } = {}) {
    const size = live ? null : bytes.length;
    const taken = await this.offer([{ name, size, ...file }], to && { to });
    const source = new Source(this.transfers, { chunk });
    await source.serve(taken.transfers[0], bytes, { ready: ready ?? (live ? 0 : bytes.length) });
    return { drop: taken.drop, ...taken.transfers[0], source };
  }

  /** The offer of `drop`, once it has come. */
  offered(drop) {
    return this.rooms.inbox.next('drop:offered', (offer) => offer.drop === drop, `the offer of ${drop}`);
  }

  /** Accepts a transfer; what the server says of it. */
  async accept(transfer) {
    const ask = () => this.rooms.ask('transfer:accept', { transfer });
    // With many nodes the test may know of an offer before this person's node does.
    const isKnown = ({ data }) => !isOneOfMany || data.error !== 'transfer_not_found';
    let answer = await ask();
    await until('the offer is known here', async () => isKnown(answer) || !(answer = await ask()), () => '', 5000);
    return ok(answer);
  }

  /** Accepts a transfer and opens it. */
  async receive(transfer, options) {
    const sink = new Sink(this.transfers, await this.accept(transfer), options);
    await sink.open();
    return sink;
  }

  /** Waits for a status that `fits`. */
  status(transfer, fits, what) {
    return this.rooms.inbox.next(
      'transfer:status',
      ({ data }) => data.transfer === transfer && fits(data),
      `a status of ${transfer} in which ${what}`,
    );
  }

  /** Waits until the transfer is in `state`. */
  state(transfer, state) {
    return this.status(transfer, (data) => data.state === state, `it is ${state}`);
  }

  /** Waits until `receiver`'s part of the transfer is in `state`. */
  receiverState(transfer, receiver, state) {
    const is = (r) => r.member === receiver.id && r.state === state;
    return this.status(transfer, (data) => data.receivers.some(is), `${receiver.id} is ${state}`);
  }

  /** Every status that has come. */
  get statuses() {
    return this.rooms.inbox.all('transfer:status');
  }

  /** Goes away without a word, for good. */
  vanish() {
    this.link.close();
  }
}

/** Takes in the rest of a file, says so, and checks that it is `bytes`. */
export async function finish(sink, bytes) {
  const got = await sink.whole();
  assert.equal(sha256(got), sha256(bytes), 'the bytes differ');
  assert.deepEqual(sink.faults, []);
  assert.deepEqual(sink.problems, [], 'a word of the sink was refused');
  ok(await sink.done());
}
