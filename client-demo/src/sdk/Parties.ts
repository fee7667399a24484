/**
 * Who of this client takes part in which transfer: brings each event of `/transfers` to the one it is for.
 * A client is either the source or a sink of a transfer, never both.
 */
import type { Link } from "./Link";
import { Openings } from "./Openings";
import type { Party } from "./Party";

export class Parties {
  /** How parties open: those that come up at once, with one word. */
  readonly openings: Openings;
  readonly #parties = new Map<string, Party>();

  constructor(readonly link: Link) {
    this.openings = new Openings(link);
    link.on("pull", (pull) => this.#parties.get(pull.transfer)?.pull?.(pull));
    link.on("stop", (stop) => this.#parties.get(stop.transfer)?.stop?.(stop));
    link.on("chunk", (chunk, bytes) => {
      if (bytes) this.#parties.get(chunk.transfer)?.chunk?.(chunk, bytes);
    });
    link.on("transfer:end", (end) => this.#parties.get(end.transfer)?.end?.(end));
    link.on("transfer:status", ({ data }) => this.#parties.get(data.transfer)?.status?.(data));
  }

  /** Brings `party` its events from now on, and opens it if the link is up. */
  add(transfer: string, party: Party): void {
    this.#parties.set(transfer, party);
    if (this.link.up) party.linkUp();
  }

  remove(transfer: string): void {
    this.#parties.delete(transfer);
  }

  linkUp(): void {
    for (const party of [...this.#parties.values()]) party.linkUp();
  }

  linkDown(): void {
    for (const party of [...this.#parties.values()]) party.linkDown();
  }
}
