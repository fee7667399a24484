/**
 * A room as this member is in it: who else is here, what is offered, what was said. It joins again by itself
 * after every lost link, and then knows what it missed. It refuses to guess: what the server has not said
 * did not happen.
 */
import { Drop } from "./Drop";
import { Emitter } from "./Emitter";
import { Fetches } from "./Fetches";
import { Incoming } from "./Incoming";
import type { Link } from "./Link";
import { Outgoing } from "./Outgoing";
import type { Parties } from "./Parties";
import type { Envelope, Joined, Member, Message, Drop as OfferedDrop, Presence, Status } from "./protocol";
import { Receiving } from "./Receiving";
import type { Records } from "./Records";
import type { RoomContext } from "./RoomContext";
import { RoomdropError } from "./RoomdropError";
import type { RoomEvents, RoomState, Who } from "./roomEvents";
import { inFolders, type Offerable, type OfferOptions, Sending } from "./Sending";
import type { SinkChoice, SinkOpener } from "./Sink";
import { refusal } from "./SocketLink";

export interface RoomParts {
  room: string;
  link: Link;
  /** `/fetches`, opened when it is first asked for. */
  fetchLink: () => Link;
  parties: Parties;
  records: Records;
  sinks: readonly SinkOpener[];
  /** What `accept` uses when the caller has no wish. */
  sink: SinkOpener;
  digest: boolean;
  base: string;
}

/** Milliseconds before a join is tried again that was refused for a passing reason. */
const JOIN_PAUSE = 1000;
const FORGOTTEN = "The server has forgotten this room and its transfers; offer the files again.";

export class Room {
  /** What the server downloads for this member. */
  readonly fetches: Fetches;
  readonly #events = new Emitter<RoomEvents>();
  readonly #context: RoomContext;
  readonly #sending: Sending;
  #receiving: Receiving | undefined;
  #state: RoomState = "connecting";
  #refusal: RoomdropError | undefined;
  #me: Member | undefined;
  #members = new Map<string, Presence>();
  #messages: Message[] = [];
  readonly #drops = new Map<string, Drop>();
  readonly #transfers = new Map<string, Incoming | Outgoing>();
  readonly #off: (() => void)[];

  /** Made by `Connection.room`. */
  constructor(
    private readonly parts: RoomParts,
    private who: Who,
  ) {
    const { link, room } = parts;
    this.#context = {
      ...parts,
      changed: (transfer) => this.#events.emit("status", transfer),
      problem: (error) => this.#events.emit("problem", error),
    };
    this.#sending = new Sending(this.#context);
    this.fetches = new Fetches({ ...parts, link: parts.fetchLink, key: () => this.who.key });
    const here =
      <T extends { room: string }>(then: (said: T) => void) =>
      (said: T) => {
        if (said.room === room && this.#state === "joined") then(said);
      };
    this.#off = [
      link.on(
        "room:joined",
        here(({ member }) => this.#came(member)),
      ),
      link.on(
        "room:left",
        here(({ member }) => this.#went(member)),
      ),
      link.on(
        "room:message",
        here((message) => this.#heard(message)),
      ),
      link.on(
        "drop:offered",
        here((drop) => this.#offered(drop)),
      ),
      link.on("transfer:status", (envelope) => this.#status(envelope)),
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

  /** Who this is, once joined. */
  get me(): Member | undefined {
    return this.#me;
  }

  /** Everyone, oneself included. */
  get members(): readonly Presence[] {
    return [...this.#members.values()];
  }

  /** Open and recent drops, oldest first. */
  get drops(): readonly Drop[] {
    return [...this.#drops.values()];
  }

  /** Recent messages, oldest first. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** Calls `listener` at every `event` until the function it returns is called. */
  on<E extends keyof RoomEvents>(event: E, listener: (value: RoomEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** Resolves once joined; rejects when the server refuses, or the room is left first. */
  joined(): Promise<this> {
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        if (this.#state === "joined") resolve(this);
        else if (this.#state === "refused") reject(this.#refusal);
        else if (this.#state === "left") reject(new RoomdropError("closed", "The room was left."));
        else return false;
        return true;
      };
      if (settle()) return;
      const off = this.on("state", () => {
        if (settle()) off();
      });
    });
  }

  /** Tries again to enter after a refusal, for instance with the right passphrase. */
  enter(who: Partial<Who>): void {
    this.who = { ...this.who, ...who };
    if (this.#state === "refused") this.#set("connecting");
    if (this.parts.link.up) void this.#join();
  }

  /** Says `text` to everyone. */
  async say(text: string): Promise<void> {
    await this.parts.link.ask("room:message", { room: this.id, text });
  }

  /**
   * Offers files; their bytes are sent as they are asked for. A stream (`{ stream, name, type }`) is live: it is
   * followed by those who accept before its first bytes are gone, and ends with its link.
   */
  async offer(files: readonly Offerable[], options: OfferOptions = {}): Promise<Drop> {
    if (!this.#me) throw new RoomdropError("disconnected", "The room is not joined yet.");
    const drop = this.#offered(await this.#sending.offer(inFolders(files), options, this.#me));
    for (const transfer of drop.transfers) {
      if (transfer instanceof Outgoing) this.#sending.serve(transfer);
    }
    return drop;
  }

  /**
   * Files chosen again after a reload: those that were offered are served again. Returns the transfers that
   * go on; rejects with `file_mismatch` when none of the files is one that is missing.
   */
  supply(files: readonly File[]): Outgoing[] {
    const missing = [...this.#transfers.values()].filter((one) => one instanceof Outgoing);
    const found = missing.flatMap((outgoing) => {
      return outgoing.stage === "missing" && this.#sending.found(outgoing, files) ? [outgoing] : [];
    });
    if (found.length === 0) {
      throw new RoomdropError(
        "file_mismatch",
        "None of these is the file that was offered: name, size and date must be the same.",
      );
    }
    for (const outgoing of found) this.#sending.serve(outgoing);
    return found;
  }

  /**
   * Accepts a transfer, or every file of a drop that is not answered yet. Resolves when the server knows;
   * the bytes follow by themselves, and `status` tells of them.
   */
  async accept(what: Incoming | Drop, { sink }: { sink?: SinkChoice } = {}): Promise<Incoming[]> {
    const receiving = this.#receiving;
    if (!receiving) throw new RoomdropError("disconnected", "The room is not joined yet.");
    const choice = sink ?? this.parts.sink;
    const all = incomingOf(what);
    const open = all.filter(
      (incoming) => incoming.acceptable && (what instanceof Incoming || incoming.stage === "offered"),
    );
    if (what instanceof Drop && open.length === all.length) {
      await receiving.acceptDrop(what.id, open, choice);
    } else {
      for (const incoming of open) await receiving.accept(incoming, choice);
    }
    return open;
  }

  /** Refuses a transfer, or every file of a drop that is not answered yet. */
  async reject(what: Incoming | Drop, reason?: string): Promise<void> {
    const open = incomingOf(what).filter((incoming) => incoming.stage === "offered");
    const why = reason ? { reason } : {};
    const all = what instanceof Drop && open.length === what.transfers.length;
    if (all) await this.parts.link.ask("transfer:reject", { drop: what.id, ...why });
    for (const incoming of open) {
      if (!all) await this.parts.link.ask("transfer:reject", { transfer: incoming.id, ...why });
      this.#receiving?.rejected(incoming);
    }
  }

  /** Lets it wait: the whole transfer when it is this member's, else its own part alone. */
  async pause(transfer: Incoming | Outgoing): Promise<void> {
    await this.parts.link.ask("transfer:pause", { transfer: transfer.id });
  }

  /** Lets it go on after `pause`. */
  async resume(transfer: Incoming | Outgoing): Promise<void> {
    await this.parts.link.ask("transfer:resume", { transfer: transfer.id });
  }

  /** Ends it: the whole transfer when it is this member's, else its own part alone. */
  async cancel(transfer: Incoming | Outgoing): Promise<void> {
    await this.parts.link.ask("transfer:cancel", { transfer: transfer.id });
    if (transfer instanceof Incoming) this.#receiving?.cancelled(transfer);
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
    this.#sending.close();
    this.#receiving?.close();
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
      const joined = await link.ask("room:join", {
        room: this.id,
        ...(name ? { name } : {}),
        ...(key ? { key } : {}),
        ...(passphrase ? { passphrase } : {}),
      });
      if (this.#state !== "left") this.#entered(joined);
    } catch (error) {
      const failure = RoomdropError.from(error, "bad_reply", "The server's answer could not be read.");
      if (!failure.passing) this.refused(failure);
      // A link that went down joins again when it is up.
      else if (link.up) setTimeout(() => link.up && this.linkUp(), JOIN_PAUSE);
    }
  }

  #entered({ member, key, members, drops, messages }: Joined): void {
    this.parts.records.set("me", "", { key });
    this.who = { ...this.who, key };
    if (this.#me?.id !== member.id) this.#begin(member);
    this.#me = member;
    this.#refusal = undefined;
    this.#members = new Map(members.map((one) => [one.id, one]));
    this.#messages = messages;
    const known = new Set(drops.flatMap((drop) => drop.transfers.map(({ transfer }) => transfer)));
    this.parts.records.keepOnly((transfer) => known.has(transfer));
    for (const drop of drops) this.#take(drop);
    this.fetches.resume();
    this.#set("joined");
  }

  /** Nothing of what was before belongs to a member that is new. */
  #begin(member: Member): void {
    const forgotten = this.#drops.size > 0;
    this.#sending.close();
    this.#receiving?.close();
    this.#receiving = new Receiving(this.#context, member.id);
    this.#drops.clear();
    this.#transfers.clear();
    if (forgotten) this.#events.emit("problem", new RoomdropError("transfer_not_found", FORGOTTEN));
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

  #offered(offered: OfferedDrop): Drop {
    const known = this.#drops.get(offered.drop);
    const drop = this.#take(offered);
    if (!known) this.#events.emit("offered", drop);
    return drop;
  }

  /** The drop as an object of ours: the one there is, brought up to date, or a new one. */
  #take(offered: OfferedDrop): Drop {
    const known = this.#drops.get(offered.drop);
    if (known) {
      for (const transfer of offered.transfers) this.#again(transfer);
      return known;
    }
    const mine = offered.from === this.#me?.id;
    const transfers = offered.transfers.flatMap((transfer) => {
      const made = mine ? this.#sending.transfer(transfer) : this.#receiving?.transfer(transfer);
      return made ? [made] : [];
    });
    for (const transfer of transfers) this.#transfers.set(transfer.id, transfer);
    const { drop: id, from, fromName, at, keep, note } = offered;
    const drop = new Drop(id, from, fromName, at, keep, note ?? "", transfers);
    this.#drops.set(id, drop);
    for (const transfer of transfers) this.#settle(transfer);
    return drop;
  }

  #again(offered: OfferedDrop["transfers"][number]): void {
    const transfer = this.#transfers.get(offered.transfer);
    if (!transfer) return;
    // One's own answer to `drop:offer` knows less than a status that came before it.
    if (this.#state !== "joined") transfer.offeredAgain(offered);
    this.#settle(transfer);
  }

  #status({ msg, data }: Envelope<Status>): void {
    const transfer = this.#transfers.get(data.transfer);
    if (!transfer) return;
    transfer.fold(data);
    if (data.error && !transfer.error) transfer.error = new RoomdropError(data.error, msg);
    this.#settle(transfer);
    this.#events.emit("status", transfer);
  }

  #settle(transfer: Incoming | Outgoing): void {
    if (transfer instanceof Incoming) this.#receiving?.settle(transfer);
    else this.#sending.settle(transfer);
  }

  #set(state: RoomState): void {
    if (this.#state === state && state !== "joined") return;
    this.#state = state;
    this.#events.emit("state", state);
  }
}

function incomingOf(what: Incoming | Drop): Incoming[] {
  if (what instanceof Incoming) return [what];
  return what.transfers.filter((transfer) => transfer instanceof Incoming);
}
