/** A transfer that this member was offered. */

import type { MemberId, Status } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import type { Sink } from "./Sink";
import type { OpenedTransfer } from "./seal/opened";
import { type Outcome, type Progress, Transfer } from "./Transfer";

/**
 * - `offered`: not answered yet.
 * - `asking`: the answer is on its way.
 * - `waiting`: accepted; it begins when transfers before it are done.
 * - `receiving`: bytes go into the sink, when they come: see `state` and `paused` for why they may not.
 * - `browser`: the browser downloads it by itself.
 * - `verifying`: every byte is here; it is made durable, its digest is compared, and the server is told.
 * - `complete`: all of it is here (`file()`), and the server knows; `verified` says whether it was compared.
 * - `rejected`, `cancelled`, `failed`: over; as long as the transfer is not `final` it may be
 *   accepted again, and so may what was complete and is not kept.
 */
export type IncomingStage =
  | "offered"
  | "asking"
  | "waiting"
  | "receiving"
  | "browser"
  | "verifying"
  | "complete"
  | "rejected"
  | "cancelled"
  | "failed";

export class Incoming extends Transfer {
  readonly direction = "incoming";
  stage: IncomingStage = "offered";
  /** Path of its HTTP download, once accepted. */
  url: string | undefined;
  #held = 0;
  #verified = false;
  #sink: Pick<Sink, "file" | "discard"> | undefined;

  constructor(
    offered: OpenedTransfer,
    /** The member this is. */
    private readonly me: MemberId,
  ) {
    super(offered);
  }

  /** Whether this member asked its own part to wait. */
  get paused(): boolean {
    return this.receiverState(this.me) === "paused";
  }

  /** Whether it may be accepted now. */
  get acceptable(): boolean {
    if (this.seal === "locked") return false;
    if (this.stage === "complete") return !this.final && !this.kept;
    return !this.final && ["offered", "rejected", "cancelled", "failed"].includes(this.stage);
  }

  /** Whether what was received can be had with `file()`: not after a reload that forgot it. */
  get kept(): boolean {
    return this.stage === "complete" && this.#sink !== undefined;
  }

  /**
   * Whether it is complete and is what was sent: the digest of the whole was compared, or the sink has proved it.
   * It may become so some time after `complete`, when the sender has computed its digest.
   */
  get verified(): boolean {
    return this.#verified && this.stage === "complete";
  }

  protected override get outcome(): Outcome {
    if (this.stage === "complete") return "done";
    const over = this.final || ["rejected", "cancelled", "failed"].includes(this.stage);
    if (!over) return "open";
    return this.error ?? new RoomdropError("transfer_closed", "It was given up before all of it was here.");
  }

  override fold(status: Status): void {
    super.fold(status);
    if (this.stage !== "browser") return;
    const mine = status.receivers.find((receiver) => receiver.member === this.me);
    if (mine) this.moved(mine.received);
  }

  override get progress(): Progress {
    const done = this.stage === "complete" ? (this.size ?? this.#held) : this.#held;
    const flows = this.stage === "receiving" || this.stage === "browser";
    return this.progressOf(done, flows && this.state === "active" && !this.paused);
  }

  /** The file, once `complete`. Rejects with `closed` when it was not kept. */
  async file(): Promise<Blob> {
    if (!this.#sink) throw new RoomdropError("closed", "The file is not here any more; accept it again.");
    return this.#sink.file();
  }

  /** Forgets the bytes that were kept. */
  async forget(): Promise<void> {
    const sink = this.#sink;
    this.#sink = undefined;
    await sink?.discard();
  }

  /** `held` bytes, as they are on the wire, are safely here. */
  moved(held: number): void {
    this.#held = this.plain(held);
    this.meter.note(performance.now(), this.#held);
  }

  /** What is here is what was sent. */
  proved(): void {
    this.#verified = true;
  }

  /** All is here, and `sink` holds it. */
  completed(sink: Pick<Sink, "file" | "discard"> | undefined, verified = false): void {
    this.#sink = sink;
    this.#verified = verified;
    this.stage = "complete";
    this.error = undefined;
  }
}
