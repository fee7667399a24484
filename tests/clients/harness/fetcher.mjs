// A member's link to `/fetches`, by the protocol reference alone: it asks for URLs and keeps what it is told.

import { Manager } from 'socket.io-client';
import { closeWithAll, Wire } from './clients.mjs';
import { ok } from './envelope.mjs';

export class Fetcher {
  /** A link of `person`'s, a member of a room, at the server of this address. */
  static async of(url, person) {
    const manager = new Manager(url, { transports: ['websocket'], reconnectionDelay: 20, reconnectionDelayMax: 100 });
    const fetcher = new Fetcher(new Wire(manager.socket('/fetches'), '/fetches'), person);
    closeWithAll(fetcher);
    await fetcher.wire.connected();
    return fetcher;
  }

  constructor(wire, { room, key }) {
    this.wire = wire;
    this.room = room;
    this.key = key;
  }

  /** The envelope that answers the wish for `url`. */
  ask(url, words = {}) {
    return this.wire.ask('fetch:start', { room: this.room, key: this.key, url, ...words });
  }

  /** Asks for `url`; the transfer and the resource. */
  async start(url, words) {
    return ok(await this.ask(url, words));
  }

  /** Every `event` that came. */
  told(event) {
    return this.wire.inbox.all(event);
  }

  /** Waits for progress that `fits`. */
  progress(transfer, fits = () => true) {
    return this.#next('fetch:progress', transfer, fits);
  }

  /** Waits until it is complete. */
  complete(transfer) {
    return this.#next('fetch:complete', transfer);
  }

  /** Waits until it has failed, or was stopped. */
  failed(transfer) {
    return this.#next('fetch:failed', transfer);
  }

  close() {
    this.wire.socket.disconnect();
  }

  #next(event, transfer, fits = () => true) {
    return this.wire.inbox.next(event, (told) => told.transfer === transfer && fits(told), `${event} of ${transfer}`);
  }
}
