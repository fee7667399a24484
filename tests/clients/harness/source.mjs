// A sender's half of `/transfers`, written from the protocol reference: it sends what is pulled, from where
// it is pulled, never more, and opens again after every loss of its link.

import { askAgain } from './again.mjs';
import { KIB } from './bytes.mjs';
import { ok } from './envelope.mjs';

// Answers to chunks are for pacing: with this many missing it lets the others have the link.
const UNANSWERED = 8;

export class Source {
  /** Every byte that was sent, sent again or not. */
  uploaded = 0;
  /** The answer to every chunk, in order. */
  answers = [];
  /** Every pull that came, in order. */
  pulls = [];
  /** How far it was asked for, all in all, by transfer. */
  granted = new Map();
  /** Why it could not open again, in words. */
  faults = [];
  #wire;
  #chunk;
  #patience;
  #files = new Map();
  #lanes = new Map();
  #unanswered = 0;
  #closed = false;

  /** An opening that is refused after a loss of the link is tried again for `patience` milliseconds. */
  constructor(wire, { chunk = 256 * KIB, patience = 0 } = {}) {
    this.#wire = wire;
    this.#chunk = chunk;
    this.#patience = patience;
    wire.socket.on('pull', (pull) => this.#pulled(pull));
    wire.socket.on('stop', ({ transfer, lane }) => this.#lanes.delete(key(transfer, lane)));
    wire.socket.on('connect', () => this.#reopen());
    wire.socket.on('disconnect', () => this.#forget());
  }

  /** Serves `bytes` for the transfer that `outgoing` (of an offer's answer) names; as much as is `ready`. */
  async serve(outgoing, bytes, { ready = bytes.length } = {}) {
    const { transfer, token } = outgoing;
    this.#files.set(transfer, { token, bytes, ready });
    return ok(await this.#wire.ask('source:open', { token }));
  }

  /** Lets a live source have the bytes before `ready`. */
  feed(transfer, ready) {
    this.#files.get(transfer).ready = ready;
    this.#sendAll();
  }

  /** Sends nothing more, and does not come back: a program that ended, whose link may live on. */
  close() {
    this.#closed = true;
    this.#forget();
  }

  #pulled(pull) {
    if (this.#closed || !this.#files.has(pull.transfer)) return;
    this.pulls.push(pull);
    const { transfer, lane, from, limit } = pull;
    this.granted.set(transfer, Math.max(this.granted.get(transfer) ?? 0, limit));
    const known = this.#lanes.get(key(transfer, lane));
    if (known) known.limit = Math.max(known.limit, limit);
    else this.#lanes.set(key(transfer, lane), { transfer, lane, offset: from, limit });
    this.#sendAll();
  }

  #sendAll() {
    for (const run of this.#lanes.values()) this.#send(run);
  }

  #send(run) {
    const { bytes, ready } = this.#files.get(run.transfer);
    const end = Math.min(run.limit, ready);
    while (run.offset < end && this.#unanswered < UNANSWERED && this.#wire.socket.connected) {
      const { transfer, lane, offset } = run;
      const piece = bytes.subarray(offset, Math.min(end, offset + this.#chunk));
      run.offset += piece.length;
      this.uploaded += piece.length;
      this.#unanswered += 1;
      const drops = this.#wire.drops;
      this.#wire.socket.emit('chunk', { transfer, lane, offset }, piece, (answer) => {
        if (drops !== this.#wire.drops) return;
        this.answers.push({ ...answer, end: offset + piece.length });
        this.#unanswered -= 1;
        this.#sendAll();
      });
    }
  }

  #forget() {
    this.#lanes.clear();
    this.#unanswered = 0;
  }

  #reopen() {
    this.#forget();
    if (this.#closed) return;
    for (const { token } of this.#files.values()) {
      if (this.#patience > 0) this.#openAgain(token);
      else this.#wire.tell('source:open', { token });
    }
  }

  async #openAgain(token) {
    const drops = this.#wire.drops;
    const isStill = () => !this.#closed && drops === this.#wire.drops;
    const answer = await askAgain(this.#wire, 'source:open', { token }, { ms: this.#patience, isStill });
    if (answer && answer.code !== 200) this.faults.push(`could not open again: ${JSON.stringify(answer)}`);
  }
}

const key = (transfer, lane) => `${transfer} ${lane}`;
