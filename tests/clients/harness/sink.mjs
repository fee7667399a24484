// A receiver's half of `/transfers`, written from the protocol reference: it pulls a window ahead of what it
// holds, takes only what continues it, and opens again on a new lane after every loss of its link. Whatever
// the server sends that it should not have sent is kept in `faults`.

import { askAgain, isPassing } from './again.mjs';
import { MIB, sha256, toBuffer } from './bytes.mjs';
import { ok } from './envelope.mjs';
import { PATIENCE, until } from './wait.mjs';

export class Sink {
  /** Bytes held: everything before this offset. */
  held = 0;
  /** The size, `null` until it is known. */
  size = null;
  /** Every byte that came, of use or not. */
  downloaded = 0;
  /** What came against the rules, in words. */
  faults = [];
  /** The lane in use. */
  lane = 0;
  /** The `transfer:end` that came. */
  end = null;
  #wire;
  #token;
  #window;
  #pieces = [];
  #limit = 0;
  #stopAt;
  #closed = false;
  #patience;
  #earlier;

  /**
   * The sink of `accepted`, the answer to `transfer:accept`. It asks for nothing beyond `stopAt`. An opening
   * that is refused after a loss of the link is tried again for `patience` milliseconds.
   */
  constructor(
    wire,
    accepted,
    { window = 2 * MIB, stopAt = Infinity, held = Buffer.alloc(0), lane = 0, patience = 0 } = {},
  ) {
    this.#patience = patience;
    this.transfer = accepted.transfer;
    this.#wire = wire;
    this.#token = accepted.token;
    this.#window = window;
    this.#stopAt = stopAt;
    this.lane = lane;
    this.#earlier = wire.inbox.all('problem').length;
    this.#keep(held);
    wire.socket.on(
      'chunk',
      (head, bytes) => head.transfer === this.transfer && this.#took(head, toBuffer(bytes)),
    );
    wire.socket.on('transfer:end', (end) => end.transfer === this.transfer && this.#ended(end));
    wire.socket.on('connect', () => this.#reopen());
  }

  /** Opens on a new lane, from what it holds. */
  async open() {
    const opened = ok(await this.#wire.ask('sink:open', this.#opening()));
    this.size = opened.size ?? this.size;
    return opened;
  }

  /** Lets it ask for everything before `offset`; without one, for all there is. */
  go(offset = Infinity) {
    this.#stopAt = offset;
    this.#pull();
  }

  /** Asks for no more, and does not come back: a program that ended. */
  close() {
    this.#closed = true;
  }

  /** What the server has refused on this link since the sink was made, and nobody has waited for. */
  get problems() {
    const all = this.#wire.inbox.all('problem').slice(this.#earlier);
    return all.filter(({ data }) => ['pull', 'sink:open'].includes(data.event));
  }

  /** Whether it holds everything. */
  get isWhole() {
    return this.size !== null && this.held === this.size;
  }

  /** How far it has asked for. */
  get asked() {
    return this.#limit;
  }

  /** Once it holds `offset` bytes. */
  reaches(offset, ms = PATIENCE) {
    return until(
      `${this.transfer} holds ${offset} bytes`,
      () => this.held >= offset,
      () => this.#seen(),
      ms,
    );
  }

  /** Once it holds everything: its bytes. */
  async whole(ms = PATIENCE) {
    await until(
      `${this.transfer} is whole`,
      () => this.isWhole,
      () => this.#seen(),
      ms,
    );
    return this.bytes();
  }

  /** The bytes held. */
  bytes() {
    return Buffer.concat(this.#pieces);
  }

  /** Says that everything is safely held; the answer. */
  done(digest = sha256(this.bytes())) {
    return this.#wire.ask('sink:done', { transfer: this.transfer, digest });
  }

  /** Says so over whatever link there is, and again after a fault; the last answer. */
  async doneAtLast(digest = sha256(this.bytes())) {
    const end = Date.now() + this.#patience;
    for (;;) {
      const { drops } = this.#wire;
      const isStill = () => drops === this.#wire.drops && this.#wire.socket.connected;
      const words = { transfer: this.transfer, digest };
      const answer = await askAgain(this.#wire, 'sink:done', words, { ms: 0, isStill });
      const isUnopened = answer?.data?.error === 'not_allowed';
      if ((answer && !isPassing(answer) && !isUnopened) || Date.now() > end) return answer;
      await this.#wire.connected();
      const open = { token: this.#token, lane: (this.lane += 1), from: this.held, limit: this.held };
      await askAgain(this.#wire, 'sink:open', open, { ms: this.#patience });
    }
  }

  #opening() {
    this.lane += 1;
    this.#limit = this.#wanted();
    return { token: this.#token, lane: this.lane, from: this.held, limit: this.#limit };
  }

  #reopen() {
    if (this.#closed || this.isWhole) return;
    if (this.#patience > 0) this.#openAgain();
    else this.#wire.socket.emit('sink:open', this.#opening(), (answer) => this.#opened(answer));
  }

  async #openAgain() {
    const drops = this.#wire.drops;
    const isStill = () => !this.#closed && drops === this.#wire.drops;
    const words = () => this.#opening();
    const answer = await askAgain(this.#wire, 'sink:open', words, { ms: this.#patience, isStill });
    if (answer) this.#opened(answer);
  }

  #opened(answer) {
    if (answer.code === 200) this.size = answer.data.size ?? this.size;
    else this.faults.push(`could not open again: ${JSON.stringify(answer)}`);
  }

  #took({ lane, offset }, bytes) {
    this.downloaded += bytes.length;
    if (lane > this.lane) this.faults.push(`a chunk of lane ${lane}, which was never asked for`);
    if (lane !== this.lane || this.#closed) return;
    if (offset !== this.held) this.faults.push(`a chunk at ${offset} where ${this.held} was next`);
    else if (offset + bytes.length > this.#limit) this.faults.push(`a chunk beyond the limit ${this.#limit}`);
    else this.#keep(bytes);
    this.#pull();
  }

  #keep(bytes) {
    if (bytes.length > 0) this.#pieces.push(bytes);
    this.held += bytes.length;
  }

  #pull() {
    if (!this.#wire.socket.connected) return; // It would be sent later, before the new opening.
    const limit = this.#wanted();
    const acknowledges = this.held === this.size || limit - this.held < this.#window;
    if (limit - this.#limit < this.#window / 4 && !acknowledges) return;
    this.#limit = Math.max(this.#limit, limit);
    this.#wire.tell('pull', {
      transfer: this.transfer,
      lane: this.lane,
      from: this.held,
      limit: this.#limit,
    });
  }

  #wanted() {
    return Math.max(this.#limit, this.held, Math.min(this.held + this.#window, this.#stopAt));
  }

  #ended(end) {
    this.end = end;
    this.size = end.size;
  }

  #seen() {
    return `it holds ${this.held} of ${this.size} on lane ${this.lane}, asked for ${this.#limit}, faults: ${this.faults}, problems: ${JSON.stringify(this.problems)}`;
  }
}
