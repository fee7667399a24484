/**
 * One file of a drop as the application sees it: what the server said about it, folded together with what
 * this side knows better. It decides nothing; `Sending` and `Receiving` do.
 */
import { orAborted } from "./aborting";
import { Feed } from "./Feed";
import type { MemberId, ReceiverState, Status, StoredCopy, TransferId, TransferState } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { SpeedMeter } from "./SpeedMeter";
import { plainBefore, plainSize } from "./seal/layout";
import type { OpenedTransfer, Seal } from "./seal/opened";
import type { Sealing } from "./seal/records";

/** How far, how fast, how much longer. */
export interface Progress {
  /** Bytes. */
  done: number;
  /** Bytes; `null` while not known. */
  size: number | null;
  bytesPerSecond: number;
  /** `null` while not known. */
  secondsLeft: number | null;
}

/** Where this side of a transfer stands, in the end. */
export type Outcome = "open" | "done" | RoomdropError;

/** One receiver of a transfer. */
export interface ReceiverProgress extends Progress {
  member: MemberId;
  state: ReceiverState;
}

/**
 * The copy that the server keeps of a transfer:
 * - `storing`: it is being written, or waits for its turn.
 * - `stored`: all of it is safe, and serves whoever comes, with or without its sender, until then.
 * - `failed`: there is none, for this reason; the rest goes on as if none had been asked for.
 */
export type Copy =
  | { state: "storing" }
  | {
      state: "stored";
      /** Milliseconds since the Unix epoch; `null` when the server does not say. */
      until: number | null;
    }
  | { state: "failed"; error: RoomdropError };

export abstract class Transfer {
  readonly id: TransferId;
  readonly name: string;
  /** The folder it lies in; empty when there is none. */
  readonly path: string;
  readonly type: string;
  /** Milliseconds since the Unix epoch. */
  readonly modified: number | undefined;
  /** A small picture of it, where the sender gave one. */
  readonly preview: Blob | undefined;
  /** Whether it is encrypted end to end; of a `locked` one nothing is known but its size on the wire. */
  readonly seal: Seal;
  /** How its bytes are sealed, while `seal` is `open`: for those who open its HTTP download themselves. */
  readonly sealing: Sealing | undefined;
  /** Why it can't go on, when it can't. */
  error: RoomdropError | undefined;
  #size: number | null;
  #state: TransferState;
  #sent = 0;
  #receivers: Status["receivers"] = [];
  #copy: Copy | undefined;
  readonly #meters = new Map<MemberId, SpeedMeter>();
  readonly #watchers = new Set<() => void>();
  #abandoned: RoomdropError | undefined;
  protected readonly meter = new SpeedMeter();

  constructor(offered: OpenedTransfer) {
    this.id = offered.transfer;
    this.name = offered.name;
    this.path = offered.path ?? "";
    this.type = offered.type;
    this.modified = offered.modified;
    this.preview = offered.picture;
    this.seal = offered.seal ?? "none";
    this.sealing = offered.sealing;
    this.#size = offered.size;
    this.#state = offered.state;
    this.#copy = copyOf(offered.copy);
  }

  /** Bytes; `null` while not known. */
  get size(): number | null {
    return this.#size;
  }

  /** Where the whole transfer stands, by the server's word. */
  get state(): TransferState {
    return this.#state;
  }

  /** Bytes that the source has got to the server. */
  get sent(): number {
    return this.#sent;
  }

  /** What became of the copy that the server keeps; `undefined` unless it was offered with `keep`. */
  get copy(): Copy | undefined {
    return this.#copy;
  }

  /** Whether nothing follows. */
  get final(): boolean {
    return this.#state === "cancelled" || this.#state === "failed";
  }

  /** Everyone who has the offer. */
  get receivers(): ReceiverProgress[] {
    const now = performance.now();
    return this.#receivers.map(({ member, state, received }) => {
      const meter = this.#meters.get(member);
      const moves = state === "receiving";
      return {
        member,
        state,
        done: this.plain(received),
        size: this.#size,
        bytesPerSecond: moves ? (meter?.bytesPerSecond(now) ?? 0) : 0,
        secondsLeft: moves ? (meter?.secondsLeft(now, this.#size) ?? null) : null,
      };
    });
  }

  /** This side's own progress. */
  abstract get progress(): Progress;

  /** What came of it on this side. */
  protected abstract get outcome(): Outcome;

  /**
   * Resolves when it is done: what comes is here, and the server knows; what goes is with everyone who accepted.
   * Rejects when it can't be any more, or with the signal's reason; the transfer goes on then.
   */
  done({ signal }: { signal?: AbortSignal } = {}): Promise<this> {
    let off: () => void = () => undefined;
    const ending = new Promise<this>((resolve, reject) => {
      off = this.#watch((outcome) => {
        if (outcome === "done") resolve(this);
        else if (outcome !== "open") reject(outcome);
      });
    });
    return orAborted(ending, signal).finally(off);
  }

  /**
   * Its progress, now and at every change, until it has ended, however: `stage` and `error` say how. Whoever is
   * slower than the changes misses those between, never the last.
   */
  updates({ signal }: { signal?: AbortSignal } = {}): AsyncIterableIterator<Progress> {
    let off: () => void = () => undefined;
    const feed = new Feed<Progress>({ limit: 1, about: () => "progress", signal, closed: () => off() });
    off = this.#watch((outcome) => {
      feed.push(this.progress);
      if (outcome !== "open") feed.end();
    });
    return feed;
  }

  /** Something about it changed; called by the room. */
  changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** The room was left: nothing follows. Called by the room. */
  abandon(): void {
    this.#abandoned ??= new RoomdropError("closed", "The room was left.");
    this.changed();
  }

  #watch(told: (outcome: Outcome) => void): () => void {
    const look = () => {
      const outcome = this.outcome === "open" ? (this.#abandoned ?? "open") : this.outcome;
      if (outcome !== "open") this.#watchers.delete(look);
      told(outcome);
    };
    this.#watchers.add(look);
    look();
    return () => this.#watchers.delete(look);
  }

  /** What a join says again. */
  offeredAgain(offered: OpenedTransfer): void {
    this.#size ??= offered.size;
    this.#state = offered.state;
    this.#copy = copyOf(offered.copy);
  }

  /** What `transfer:status` says. */
  fold(status: Status): void {
    const now = performance.now();
    this.#state = status.state;
    this.#sized(status.size);
    this.#sent = this.plain(status.sent);
    this.#receivers = status.receivers;
    this.#copy = copyOf(status.copy);
    for (const { member, received } of status.receivers) {
      const meter = this.#meters.get(member) ?? new SpeedMeter();
      this.#meters.set(member, meter);
      meter.note(now, this.plain(received));
    }
  }

  /** Where `member` stands, if it has the offer and anything was said about it. */
  receiverState(member: MemberId): ReceiverState | undefined {
    return this.#receivers.find((receiver) => receiver.member === member)?.state;
  }

  /** Bytes of the file among so many on the wire. */
  protected plain(bytes: number): number {
    return this.sealing ? plainBefore(bytes, this.sealing.record, this.#size) : bytes;
  }

  /** The size on the wire became known; that of a sealed file was known before, unless it is a live stream. */
  #sized(size: number | null): void {
    if (size === null) return;
    if (!this.sealing) this.#size = size;
    else this.#size ??= plainSize(size, this.sealing.record) ?? null;
  }

  protected progressOf(done: number, moves: boolean): Progress {
    const now = performance.now();
    return {
      done,
      size: this.#size,
      bytesPerSecond: moves ? this.meter.bytesPerSecond(now) : 0,
      secondsLeft: moves ? this.meter.secondsLeft(now, this.#size) : null,
    };
  }
}

function copyOf(said: StoredCopy | undefined): Copy | undefined {
  switch (said?.state) {
    case undefined:
      return undefined;
    case "storing":
      return { state: "storing" };
    case "stored":
      return { state: "stored", until: said.until ?? null };
    case "failed":
      return {
        state: "failed",
        error: new RoomdropError(said.error ?? "internal", said.msg ?? "It is not kept."),
      };
  }
}
