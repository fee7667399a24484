/**
 * A room as this member is in it: who else is here, what is offered, what was said. It joins again by itself
 * after every lost link, and then knows what it missed. It refuses to guess: what the server has not said
 * did not happen.
 */
import { orAborted } from "./aborting";
import type { Drop } from "./Drop";
import { type AcceptOptions, Drops, type Which } from "./Drops";
import { Emitter } from "./Emitter";
import { Feed } from "./Feed";
import { Fetches } from "./Fetches";
import type { HandleShelf } from "./HandleShelf";
import type { Incoming } from "./Incoming";
import type { Link } from "./Link";
import type { Outgoing } from "./Outgoing";
import type { Parties } from "./Parties";
import type { Joined, Member, Presence, Presented, Services } from "./protocol";
import type { Records } from "./Records";
import { RoomdropError } from "./RoomdropError";
import type { EachOptions, RoomEvents, RoomState, Who } from "./roomEvents";
import type { Offerable, OfferOptions } from "./Sending";
import type { SinkOpener } from "./Sink";
import { refusal } from "./SocketLink";
import { type Contents, type Message, openContents, openMessage, openNew, sealText } from "./seal/opened";
import { RoomSeal } from "./seal/RoomSeal";
import { Turns } from "./Turns";

export interface RoomParts {
  room: string;
  link: Link;
  /** `/fetches`, opened when it is first asked for. */
  fetchLink: () => Link;
  parties: Parties;
  records: Records;
  handles: HandleShelf | undefined;
  sinks: readonly SinkOpener[];
  /** What `accept` uses when the caller has no wish. */
  sink: SinkOpener;
  digest: boolean;
  base: string;
}

/** Milliseconds before a join is tried again that was refused for a passing reason. */
const JOIN_PAUSE = 1000;
/** Events that wait for whoever iterates, at most. */
const EACH_LIMIT = 10_000;
const FORGOTTEN = "The server has forgotten this room and its transfers; offer the files again.";

export class Room {
  /** What the server downloads for this member. */
  readonly fetches: Fetches;
  readonly #events = new Emitter<RoomEvents>();
  readonly #drops: Drops;
  #state: RoomState = "connecting";
  #refusal: RoomdropError | undefined;
  #me: Member | undefined;
  #server: Services | undefined;
  #members = new Map<string, Presence>();
  #messages: Message[] = [];
  #seal: RoomSeal | undefined;
  /** What is said waits here while something before it is opened. */
  readonly #turns = new Turns();
  readonly #isKnown = (drop: string) => this.#drops.knows(drop);
  readonly #off: (() => void)[];

  /** Made by `Connection.room`. */
  constructor(
    private readonly parts: RoomParts,
    private who: Who,
  ) {
    const { link, room } = parts;
    const context = {
      ...parts,
      seal: () => this.#sealer(),
      changed: (transfer: Incoming | Outgoing) => {
        transfer.changed();
        this.#events.emit("status", transfer);
      },
      problem: (error: RoomdropError) => this.#events.emit("problem", error),
    };
    this.#drops = new Drops(context, parts.sink, (drop) => this.#events.emit("offered", drop));
    this.fetches = new Fetches({ ...parts, link: parts.fetchLink, key: () => this.who.key });
    const here =
      <T extends { room: string }, O>(open: (said: T) => O | Promise<O>, then: (opened: O) => void) =>
      (said: T) => {
        if (said.room !== room) return;
        this.#turns.take(
          () => open(said),
          (opened) => this.#state === "joined" && then(opened),
        );
      };
    const asSaid = <T>(said: T) => said;
    this.#off = [
      link.on(
        "room:joined",
        here(asSaid<Presented>, ({ member }) => this.#came(member)),
      ),
      link.on(
        "room:left",
        here(asSaid<Presented>, ({ member }) => this.#went(member)),
      ),
      link.on(
        "room:message",
        here(
          (said) => openMessage(said, this.#seal),
          (message) => this.#heard(message),
        ),
      ),
      link.on(
        "drop:offered",
        here(
          (said) => openNew(said, this.#seal, this.#isKnown),
          (drop) => this.#drops.heard(drop),
        ),
      ),
      link.on("transfer:status", (envelope) =>
        this.#turns.take(
          () => envelope,
          (said) => this.#drops.status(said),
        ),
      ),
      link.on("problem", ({ msg, data }) => this.#events.emit("problem", refusal(msg, data))),
    ];
  }

  get id(): string {
    return this.parts.room;
  }

  get state(): RoomState {
    return this.#state;
  }

  /** Why the server does not let this member in, while `refused`. */
  get refusal(): RoomdropError | undefined {
    return this.#refusal;
  }

  /** Whether what is offered and said here is encrypted with the room's secret. */
  get sealed(): boolean {
    return this.who.secret !== undefined;
  }

  /** Who this is, once joined. */
  get me(): Member | undefined {
    return this.#me;
  }

  /** What the server does besides relaying, once joined: for how long it keeps drops, whether it downloads. */
  get server(): Services | undefined {
    return this.#server;
  }

  /** Everyone, oneself included. */
  get members(): readonly Presence[] {
    return [...this.#members.values()];
  }

  /** Open and recent drops, oldest first. */
  get drops(): readonly Drop[] {
    return this.#drops.list;
  }

  /** Recent messages, oldest first. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** Calls `listener` at every `event` until the function it returns is called. */
  on<E extends keyof RoomEvents>(event: E, listener: (value: RoomEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Every `event` from now on, for `for await`, until the room is left. A transfer, or state, that changes again
   * before it was taken is given once. Throws the signal's reason, or `fell_behind` when more than `limit` wait.
   */
  each<E extends keyof RoomEvents>(
    event: E,
    { signal, limit = EACH_LIMIT }: EachOptions = {},
  ): AsyncIterableIterator<RoomEvents[E]> {
    const about =
      event === "status"
        ? { about: (value: RoomEvents[E]) => value }
        : event === "state"
          ? { about: () => "state" }
          : {};
    const off: (() => void)[] = [];
    const closed = () => {
      for (const one of off) one();
    };
    const feed = new Feed<RoomEvents[E]>({ limit, signal, closed, ...about });
    off.push(this.on(event, (value) => feed.push(value)));
    off.push(this.on("state", (state) => state === "left" && feed.end()));
    if (signal?.aborted) closed();
    if (this.#state === "left") feed.end();
    return feed;
  }

  /** Resolves once joined; rejects when the server refuses, the room is left first, or the signal is aborted. */
  joined({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<this> {
    let off: () => void = () => undefined;
    const joining = new Promise<this>((resolve, reject) => {
      const look = () => {
        if (this.#state === "joined") resolve(this);
        else if (this.#state === "refused") reject(this.#refusal);
        else if (this.#state === "left") reject(new RoomdropError("closed", "The room was left."));
      };
      off = this.on("state", look);
      look();
    });
    return orAborted(joining, signal).finally(off);
  }

  /** Tries again to enter after a refusal, for instance with the right passphrase, or with the secret. */
  enter(who: Partial<Who>): void {
    if (who.secret !== undefined && who.secret !== this.who.secret) {
      this.#seal = undefined;
      this.#drops.forgetLocked();
    }
    this.who = { ...this.who, ...who };
    if (this.#state === "refused") this.#set("connecting");
    if (this.parts.link.up) void this.#join();
  }

  /** Says `text` to everyone. Aborted, it may have been said all the same. */
  async say(text: string, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    signal?.throwIfAborted();
    await orAborted(this.#say(text), signal);
  }

  /**
   * Offers files; their bytes are sent as they are asked for. A stream (`{ stream, name, type }`) is live: it is
   * followed by those who accept before its first bytes are gone, and ends with its link.
   */
  offer(files: readonly Offerable[], options: OfferOptions = {}): Promise<Drop> {
    return this.#drops.offer(files, options);
  }

  /**
   * Files chosen again after a reload: those that were offered are served again. Resolves with the transfers that
   * go on; rejects with `file_mismatch` when none of the files is one that is missing.
   */
  supply(files: readonly File[]): Promise<Outgoing[]> {
    return this.#drops.supply(files);
  }

  /**
   * Goes on with transfers that are `asleep`: the browser asks whether their files may be read, so it has to be
   * called in a click. Resolves with those that go on; any other is `missing` then, and its `error` says why.
   */
  wake(what: Which<Outgoing>): Promise<Outgoing[]> {
    return this.#drops.wake(what);
  }

  /**
   * Accepts one transfer, several, or every file of a drop that is not answered yet. Resolves when the server
   * knows; the bytes follow by themselves: `incoming.done()` waits for them, and `status` tells of them.
   */
  accept(what: Which<Incoming>, options: AcceptOptions = {}): Promise<Incoming[]> {
    return this.#drops.accept(what, options);
  }

  /** Refuses one transfer, several, or every file of a drop that is not answered yet. */
  reject(what: Which<Incoming>, reason?: string): Promise<void> {
    return this.#drops.reject(what, reason);
  }

  /** Lets it wait: the whole transfer when it is this member's, else its own part alone. */
  pause(what: Which<Incoming | Outgoing>): Promise<void> {
    return this.#drops.steer("transfer:pause", what);
  }

  /** Lets it go on after `pause`. */
  resume(what: Which<Incoming | Outgoing>): Promise<void> {
    return this.#drops.steer("transfer:resume", what);
  }

  /** Ends it: the whole transfer when it is this member's, else its own part alone. */
  cancel(what: Which<Incoming | Outgoing>): Promise<void> {
    return this.#drops.steer("transfer:cancel", what);
  }

  /** Leaves for good: others see it at once, and nothing is sent or received any more. */
  async leave(): Promise<void> {
    if (this.#state === "left") return;
    const { link } = this.parts;
    const told = link.up ? link.ask("room:leave", { room: this.id }) : Promise.resolve();
    this.close();
    await told.catch(() => undefined); // a link that is lost just then has left as well
  }

  /** Ends this side of the room alone: the server notices when the connection ends. */
  close(): void {
    for (const off of this.#off) off();
    this.#drops.close();
    this.fetches.close();
    this.#set("left");
  }

  /** The link came up; called by the connection. */
  linkUp(): void {
    if (this.#state !== "left" && this.#state !== "refused") void this.#join();
  }

  /** The link went down; called by the connection. */
  linkDown(): void {
    if (this.#state === "joined") this.#set("offline");
  }

  /** The server does not take the connection; called by the connection. */
  refused(error: RoomdropError): void {
    if (this.#state === "left") return;
    this.#refusal = error;
    this.#set("refused");
  }

  async #join(): Promise<void> {
    const { link, records } = this.parts;
    const key = this.who.key ?? records.get("me")?.key;
    const { name, passphrase } = this.who;
    try {
      this.#sealer();
      const joined = await link.ask("room:join", {
        room: this.id,
        ...(name ? { name } : {}),
        ...(key ? { key } : {}),
        ...(passphrase ? { passphrase } : {}),
      });
      this.#turns.take(
        () => openContents(joined, this.#seal, this.#isKnown),
        (opened) => this.#state !== "left" && link.up && this.#entered(joined, opened),
      );
    } catch (error) {
      const failure = RoomdropError.from(error, "bad_reply", "The server's answer could not be read.");
      if (!failure.passing) this.refused(failure);
      // A link that went down joins again when it is up.
      else if (link.up) setTimeout(() => link.up && this.linkUp(), JOIN_PAUSE);
    }
  }

  /** What seals here; throws for a secret that can't be used, so that nothing is ever said in the open instead. */
  #sealer(): RoomSeal | undefined {
    const { secret } = this.who;
    if (secret !== undefined) this.#seal ??= RoomSeal.of(secret, this.id);
    return this.#seal;
  }

  async #say(text: string): Promise<void> {
    const seal = this.#sealer();
    const said = seal ? await sealText(text, "message", seal) : text;
    await this.parts.link.ask("room:message", { room: this.id, text: said });
  }

  #entered({ member, key, members, server }: Joined, { drops, messages }: Contents): void {
    this.parts.records.set("me", "", { key });
    this.who = { ...this.who, key };
    if (this.#drops.begin(member) === "gone") {
      this.#events.emit("problem", new RoomdropError("transfer_not_found", FORGOTTEN));
    }
    this.#me = member;
    this.#server = server;
    this.#refusal = undefined;
    this.#members = new Map(members.map((one) => [one.id, one]));
    this.#messages = messages;
    this.#drops.joined(drops);
    this.fetches.resume();
    this.#set("joined");
  }

  #came(member: Member): void {
    this.#members.set(member.id, { ...member, online: true });
    this.#events.emit("joined", member);
  }

  #went(member: Member): void {
    this.#members.delete(member.id);
    this.#events.emit("left", member);
  }

  #heard(message: Message): void {
    if (this.#messages.some(({ id }) => id === message.id)) return;
    this.#messages = [...this.#messages, message];
    this.#events.emit("message", message);
  }

  #set(state: RoomState): void {
    if (this.#state === state && state !== "joined") return;
    this.#state = state;
    this.#events.emit("state", state);
  }
}
