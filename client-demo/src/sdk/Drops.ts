/**
 * What is offered in a room, by this member and to it: brings what the server says to the drop it is about, and
 * what the application wants to `Sending` or `Receiving`. Many transfers are answered with few words, never one
 * after the other.
 */
import { onAbort, orAborted } from "./aborting";
import { Drop } from "./Drop";
import { Incoming } from "./Incoming";
import { Outgoing } from "./Outgoing";
import type { Envelope, Member, Status } from "./protocol";
import { Receiving } from "./Receiving";
import type { RoomContext } from "./RoomContext";
import { RoomdropError } from "./RoomdropError";
import { inFolders, type Offerable, type OfferOptions, Sending } from "./Sending";
import { isHttpDownload, type SinkChoice } from "./Sink";
import type { OpenedDrop, OpenedTransfer } from "./seal/opened";

/** One transfer, several, or all of a drop. */
export type Which<T extends Incoming | Outgoing> = T | readonly T[] | Drop;

export interface AcceptOptions {
  /** Where it goes. Default: the connection's `sink`. */
  sink?: SinkChoice;
  /** Aborted, then or later, this member's part of what was accepted is cancelled. */
  signal?: AbortSignal;
}

/** Where it was said: a join knows how a transfer stands, the answer to one's own offer knows less. */
type Said = "join" | "offer";

export class Drops {
  readonly #sending: Sending;
  #receiving: Receiving | undefined;
  #me: Member | undefined;
  readonly #drops = new Map<string, Drop>();
  readonly #transfers = new Map<string, Incoming | Outgoing>();

  constructor(
    private readonly context: RoomContext,
    /** What `accept` uses when the caller has no wish. */
    private readonly sink: SinkChoice,
    /** A drop is new. */
    private readonly offered: (drop: Drop) => void,
  ) {
    this.#sending = new Sending(context);
  }

  /** Open and recent drops, oldest first. */
  get list(): readonly Drop[] {
    return [...this.#drops.values()];
  }

  /** Whether this drop is here already, and need not be opened again. */
  knows(drop: string): boolean {
    return this.#drops.has(drop);
  }

  /** Another secret may open them: the next join brings them again. */
  forgetLocked(): void {
    for (const { id, seal, transfers } of this.list) {
      if (seal !== "locked") continue;
      this.#drops.delete(id);
      for (const transfer of transfers) this.#transfers.delete(transfer.id);
    }
  }

  /** This member joined. Nothing of what was before belongs to one that is new: says whether something is gone. */
  begin(me: Member): "gone" | "kept" {
    const known = this.#me;
    this.#me = me;
    if (known?.id === me.id) return "kept";
    const wereThere = this.#drops.size > 0;
    this.#stop();
    this.#receiving = new Receiving(this.context, me.id);
    this.#drops.clear();
    this.#transfers.clear();
    return wereThere ? "gone" : "kept";
  }

  /** What a join says is there; what it does not name is forgotten. */
  joined(drops: readonly OpenedDrop[]): void {
    const known = new Set(drops.flatMap((drop) => drop.transfers.map(({ transfer }) => transfer)));
    this.context.records.keepOnly((transfer) => known.has(transfer));
    for (const drop of drops) this.#take(drop, "join");
    void this.#sending.find(outgoingOf([...this.#transfers.values()]));
  }

  /** What `drop:offered` says. */
  heard(offered: OpenedDrop): Drop {
    const known = this.#drops.get(offered.drop);
    const drop = this.#take(offered, "offer");
    if (!known) this.offered(drop);
    return drop;
  }

  /** What `transfer:status` says. */
  status({ msg, data }: Envelope<Status>): void {
    const transfer = this.#transfers.get(data.transfer);
    if (!transfer) return;
    transfer.fold(data);
    if (data.error && !transfer.error) transfer.error = new RoomdropError(data.error, msg);
    this.#settle(transfer);
    this.context.changed(transfer);
  }

  async offer(files: readonly Offerable[], options: OfferOptions): Promise<Drop> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (!this.#me) throw notJoined();
    const offering = this.#sending.offer(inFolders(files), options, this.#me).then((said) => {
      const drop = this.heard(said);
      for (const one of drop.transfers) if (one instanceof Outgoing) this.#sending.serve(one);
      this.#cancelWhen(signal, drop.transfers);
      return drop;
    });
    return orAborted(offering, signal);
  }

  supply(files: readonly File[]): Promise<Outgoing[]> {
    return this.#sending.supply(outgoingOf([...this.#transfers.values()]), files);
  }

  wake(what: Which<Outgoing>): Promise<Outgoing[]> {
    return this.#sending.wake(outgoingOf(transfersOf(what)));
  }

  async accept(what: Which<Incoming>, { sink = this.sink, signal }: AcceptOptions): Promise<Incoming[]> {
    signal?.throwIfAborted();
    const receiving = this.#receiving;
    if (!receiving) throw notJoined();
    const isWish = !(what instanceof Drop);
    const open = incomingOf(what).filter((one) => one.acceptable && (isWish || one.stage === "offered"));
    refuseSealed(incomingOf(what), open, sink);
    const { whole, single } = this.#together(open);
    const asked = [
      ...whole.map((drop) => receiving.acceptDrop(drop.id, incomingOf(drop), sink)),
      receiving.acceptAll(single, sink),
    ];
    const answered = allOf(asked).then(() => {
      this.#cancelWhen(signal, open);
      return open;
    });
    return orAborted(answered, signal);
  }

  async reject(what: Which<Incoming>, reason: string | undefined): Promise<void> {
    const open = incomingOf(what).filter((incoming) => incoming.stage === "offered");
    const why = reason ? { reason } : {};
    const { whole, single } = this.#together(open);
    const { link } = this.context;
    const said = async (say: { drop: string } | { transfer: string }, all: readonly Incoming[]) => {
      await link.ask("transfer:reject", { ...say, ...why });
      for (const incoming of all) this.#receiving?.rejected(incoming);
    };
    await allOf([
      ...whole.map((drop) => said({ drop: drop.id }, incomingOf(drop))),
      ...single.map((incoming) => said({ transfer: incoming.id }, [incoming])),
    ]);
  }

  async steer(
    event: "transfer:pause" | "transfer:resume" | "transfer:cancel",
    what: Which<Incoming | Outgoing>,
  ): Promise<void> {
    await allOf(
      transfersOf(what).map(async (transfer) => {
        await this.context.link.ask(event, { transfer: transfer.id });
        if (event === "transfer:cancel" && transfer instanceof Incoming) this.#receiving?.cancelled(transfer);
      }),
    );
  }

  /** The room was left. */
  close(): void {
    this.#stop();
    for (const transfer of this.#transfers.values()) transfer.abandon();
  }

  #stop(): void {
    this.#sending.close();
    this.#receiving?.close();
  }

  /** The drop as an object of ours: the one there is, brought up to date, or a new one. */
  #take(offered: OpenedDrop, said: Said): Drop {
    const known = this.#drops.get(offered.drop);
    if (known) {
      for (const transfer of offered.transfers) this.#again(transfer, said);
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

  #again(offered: OpenedTransfer, said: Said): void {
    const transfer = this.#transfers.get(offered.transfer);
    if (!transfer) return;
    if (said === "join") transfer.offeredAgain(offered);
    this.#settle(transfer);
  }

  #settle(transfer: Incoming | Outgoing): void {
    if (transfer instanceof Incoming) this.#receiving?.settle(transfer);
    else this.#sending.settle(transfer);
  }

  /** Which drops `open` has all of: one word does for each of them. */
  #together(open: readonly Incoming[]): { whole: Drop[]; single: Incoming[] } {
    const wanted = new Set(open);
    const isWhole = ({ transfers }: Drop) =>
      transfers.length > 1 && transfers.every((one) => one instanceof Incoming && wanted.has(one));
    const whole = open.length > 1 ? this.list.filter(isWhole) : [];
    for (const one of whole.flatMap(incomingOf)) wanted.delete(one);
    return { whole, single: [...wanted] };
  }

  /** Cancels what has not ended when the signal is aborted. */
  #cancelWhen(signal: AbortSignal | undefined, all: readonly (Incoming | Outgoing)[]): void {
    if (!signal) return;
    const off = onAbort(signal, () => {
      const open = all.filter((one) => (one instanceof Incoming ? one.stage !== "complete" : !one.final));
      this.steer("transfer:cancel", open).catch((error: unknown) => {
        this.context.problem(RoomdropError.from(error, "bad_reply", "It could not be cancelled; try again."));
      });
    });
    void Promise.allSettled(all.map((one) => one.done())).then(off);
  }
}

/** All of these at once; the first that is refused is told when all are answered. */
async function allOf(asked: readonly Promise<unknown>[]): Promise<void> {
  const refused = (await Promise.allSettled(asked)).find((answer) => answer.status === "rejected");
  if (refused) throw refused.reason;
}

function transfersOf<T extends Incoming | Outgoing>(what: Which<T>): readonly (Incoming | Outgoing)[] {
  if (what instanceof Drop) return what.transfers;
  return what instanceof Incoming || what instanceof Outgoing ? [what] : (what as readonly T[]);
}

function outgoingOf(all: readonly (Incoming | Outgoing)[]): Outgoing[] {
  return all.filter((transfer) => transfer instanceof Outgoing);
}

function incomingOf(what: Which<Incoming>): Incoming[] {
  return transfersOf(what).filter((transfer) => transfer instanceof Incoming);
}

/** Throws `sealed` when all of it is locked, or a plain download would save what nobody can read. */
function refuseSealed(all: readonly Incoming[], open: readonly Incoming[], sink: SinkChoice): void {
  if (open.length === 0 && all.some(({ seal }) => seal === "locked")) {
    throw new RoomdropError(
      "sealed",
      "It is encrypted: open the room by its whole link, with all behind the #.",
    );
  }
  if (isHttpDownload(sink) && !sink.opensSealed && open.some(({ sealing }) => sealing)) {
    throw new RoomdropError(
      "sealed",
      "It is encrypted, and a plain download could not be read; receive it here instead.",
    );
  }
}

function notJoined(): RoomdropError {
  return new RoomdropError("disconnected", "The room is not joined yet.");
}
