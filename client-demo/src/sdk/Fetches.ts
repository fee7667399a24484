/**
 * What the server downloads for this member in one room. After every lost link, and after a reload, it names
 * its fetches to the server again, which starts nothing twice and says how they stand. It refuses to guess how
 * one goes on while the link is down.
 */
import { onAbort } from "./aborting";
import { Emitter } from "./Emitter";
import { Fetch, type FetchOptions } from "./Fetch";
import type { Link } from "./Link";
import type { FetchEnded } from "./protocol";
import type { Records } from "./Records";
import { RoomdropError } from "./RoomdropError";
import { retrying } from "./retrying";

export interface FetchesParts {
  room: string;
  /** `/fetches`, opened when it is first asked for: most pages never need it. */
  link: () => Link;
  records: Records;
  /** The member's key, once joined. */
  key: () => string | undefined;
}

export interface FetchesEvents {
  /** One is new, or something about it changed. */
  changed: Fetch;
}

export class Fetches {
  readonly #events = new Emitter<FetchesEvents>();
  readonly #all = new Map<string, Fetch>();
  #link: Link | undefined;
  #off: (() => void)[] = [];

  constructor(private readonly parts: FetchesParts) {}

  /** Every one of this member's that this page knows, oldest first. */
  get list(): readonly Fetch[] {
    return [...this.#all.values()];
  }

  /** Calls `listener` at every `event` until the function it returns is called. */
  on<E extends keyof FetchesEvents>(event: E, listener: (value: FetchesEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** Has the server download `url` as a drop of this member's. What comes of it, `changed` tells. */
  start(url: string, { signal, ...options }: FetchOptions = {}): Fetch {
    signal?.throwIfAborted();
    const fetch = new Fetch(newResource(), url, options);
    this.#all.set(fetch.resource, fetch);
    this.parts.records.set("fetch", fetch.resource, { url, ...options });
    this.#tell(fetch);
    void this.#ask(fetch);
    this.#stopWhen(signal, fetch);
    return fetch;
  }

  /** Ends it, for everyone who receives it too. */
  async stop(fetch: Fetch): Promise<void> {
    await this.#open().ask("fetch:stop", { resource: fetch.resource });
  }

  /** Forgets one that has ended. */
  forget(fetch: Fetch): void {
    if (fetch.final) this.#all.delete(fetch.resource);
  }

  /** The room is joined, or the link is up again: those that go on are named to the server. */
  resume(): void {
    for (const [resource, { url, ...options }] of this.parts.records.all("fetch")) {
      if (!this.#all.has(resource)) this.#all.set(resource, new Fetch(resource, url, options));
    }
    for (const fetch of this.list) if (!fetch.final) void this.#ask(fetch);
  }

  close(): void {
    for (const off of this.#off) off();
    this.#off = [];
  }

  #open(): Link {
    if (this.#link) return this.#link;
    const link = this.parts.link();
    this.#link = link;
    this.#off = [
      link.on("fetch:progress", (told) => {
        const fetch = this.#all.get(told.resource);
        if (!fetch || fetch.final) return;
        fetch.fold(told);
        this.#tell(fetch);
      }),
      link.on("fetch:complete", (told) => this.#end(told, "complete")),
      link.on("fetch:failed", (told) => this.#end(told, told.error ? "failed" : "stopped")),
    ];
    return link;
  }

  #stopWhen(signal: AbortSignal | undefined, fetch: Fetch): void {
    if (!signal) return;
    const off = onAbort(signal, () => {
      // What cannot be stopped now, as without a link, is told as any change is: by what becomes of it.
      this.stop(fetch).catch(() => undefined);
    });
    const until = this.on("changed", (changed) => {
      if (changed !== fetch || !fetch.final) return;
      off();
      until();
    });
  }

  async #ask(fetch: Fetch): Promise<void> {
    const link = this.#open();
    const { room, key } = this.parts;
    const mine = key();
    // Without either, it is asked for when both are there.
    if (!link.up || !mine) return;
    const { resource, url, options } = fetch;
    const say = { room, key: mine, resource, url, ...options };
    try {
      const wanted = () => link.up && !fetch.final;
      const started = await retrying(() => link.ask("fetch:start", say), wanted);
      if (!started || fetch.final) return;
      fetch.transfer = started.transfer;
      fetch.stage = "offered";
    } catch (error) {
      if (fetch.final) return;
      const why = RoomdropError.from(error, "bad_reply", "The server's answer could not be read.");
      this.parts.records.remove("fetch", resource);
      fetch.end("failed", fetch.name, why);
    }
    this.#tell(fetch);
  }

  #end({ resource, name, error, msg }: FetchEnded, stage: "complete" | "stopped" | "failed"): void {
    const fetch = this.#all.get(resource);
    if (!fetch || fetch.final) return;
    this.parts.records.remove("fetch", resource);
    fetch.end(stage, name, error && new RoomdropError(error, msg));
    this.#tell(fetch);
  }

  #tell(fetch: Fetch): void {
    this.#events.emit("changed", fetch);
  }
}

/** 128 random bits: nobody else's, and not this member's own of another day. */
function newResource(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
