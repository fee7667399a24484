/**
 * What a consumer decides: what to pull, whether a chunk is the one it asked for, when to give a lane up.
 * Pure; the time is an argument. It refuses to acknowledge a byte before it is safely written.
 */
import { KIB, MIB } from "./ChunkSize";
import type { LaneNumbers } from "./LaneNumbers";

/** The consumer's window: bytes it lets come beyond what it safely holds. The server may grant less. */
export const WINDOW = 8 * MIB;
/** Silence on a lane with credit, in milliseconds, after which a new one is tried. */
export const PATIENCE = 15_000;
/** A tick so long after the one before, in milliseconds, comes to a page that stood still, and heard nothing either. */
const STOOD_STILL = 2000;
/** Bytes held beyond the last pull, after which the next is due. */
const ACKNOWLEDGE_AFTER = 512 * KIB;
/** Quiet, in milliseconds, after which fewer bytes are acknowledged too: the server may have granted less. */
const ACKNOWLEDGE_QUIET = 100;

/** A pull without the transfer's id. */
export interface LanePull {
  lane: number;
  from: number;
  limit: number;
}

/**
 * - `closed`: nothing is asked for, because the link is down or all is here.
 * - `open`: a lane is pulled.
 * - `broken`: the lane was given up; the next begins when what came is written.
 */
type Phase =
  | { name: "closed" }
  | { name: "open"; lane: number; limit: number; pulledFrom: number; heardAt: number }
  | { name: "broken" };

export class SinkLane {
  #phase: Phase = { name: "closed" };
  #held: number;
  #received: number;
  #size: number | null;
  #tickedAt = Number.POSITIVE_INFINITY;
  #excusedAt = Number.NaN;

  /** `held` bytes from the start are safely here already; `size` is `null` while not known. */
  constructor(
    held: number,
    size: number | null,
    private readonly lanes: LaneNumbers,
    private readonly window: number = WINDOW,
  ) {
    this.#held = held;
    this.#received = held;
    this.#size = size;
  }

  /** Bytes from the start that are safely written. */
  get held(): number {
    return this.#held;
  }

  /** Whether every byte is safely written. */
  get whole(): boolean {
    return this.#size !== null && this.#held >= this.#size;
  }

  /** The size became known. */
  sized(size: number): void {
    this.#size = size;
  }

  /** Begins a new lane from what is held; nothing while bytes are still being written, or all are here. */
  start(now: number): LanePull | undefined {
    if (this.#received !== this.#held) {
      this.#phase = { name: "broken" };
      return undefined;
    }
    if (this.whole) {
      this.#phase = { name: "closed" };
      return undefined;
    }
    const lane = this.lanes.next();
    this.#phase = { name: "open", lane, limit: this.#limit(), pulledFrom: this.#held, heardAt: now };
    return this.#pull(lane);
  }

  /** The link went down, or nothing more is wanted. */
  close(): void {
    this.#phase = { name: "closed" };
  }

  /**
   * What to do with a chunk: `write` it, ignore it as `stale`, or, on a `gap` (or anything else that was
   * not asked for), give the lane up; `next` is then the pull to send, if it can be sent now.
   */
  take(
    lane: number,
    offset: number,
    len: number,
    now: number,
  ): { verdict: "write" } | { verdict: "stale" } | { verdict: "gap"; next: LanePull | undefined } {
    const phase = this.#phase;
    if (phase.name !== "open" || lane !== phase.lane) return { verdict: "stale" };
    const end = offset + len;
    if (offset !== this.#received || len === 0 || end > phase.limit) {
      return { verdict: "gap", next: this.start(now) };
    }
    this.#received = end;
    phase.heardAt = now;
    return { verdict: "write" };
  }

  /** Everything before `held` is now safely written; the pull to send, when it is time for one. */
  wrote(held: number, now: number): LanePull | undefined {
    this.#held = held;
    const phase = this.#phase;
    if (phase.name === "broken") return held === this.#received ? this.start(now) : undefined;
    if (phase.name !== "open" || this.whole) return undefined;
    if (held - phase.pulledFrom < Math.min(ACKNOWLEDGE_AFTER, this.window / 4)) return undefined;
    return this.again(now);
  }

  /** The pull of the open lane, said again with what is held now. Harmless at any time. */
  again(now: number): LanePull | undefined {
    const phase = this.#phase;
    if (phase.name !== "open") return undefined;
    phase.pulledFrom = this.#held;
    phase.limit = Math.max(phase.limit, this.#limit());
    phase.heardAt = now;
    return this.#pull(phase.lane);
  }

  /**
   * To be called about every 100 ms: the acknowledgement that is owed after a quiet moment, or a new lane
   * when this one has gone silent. While no bytes are `due`, because somebody paused, silence is excused.
   */
  tick(now: number, due = true): LanePull | undefined {
    const phase = this.#phase;
    const stoodStill = now - this.#tickedAt >= STOOD_STILL;
    this.#tickedAt = now;
    if (phase.name !== "open") return undefined;
    // The silence then was this side's own. That is said once: a hidden tab may tick once a minute for ever.
    if (stoodStill && phase.heardAt !== this.#excusedAt) {
      phase.heardAt = now;
      this.#excusedAt = now;
    }
    const quiet = now - phase.heardAt;
    if (quiet >= ACKNOWLEDGE_QUIET && this.#held > phase.pulledFrom && !this.whole) return this.again(now);
    return due && quiet >= PATIENCE && this.#received < phase.limit ? this.start(now) : undefined;
  }

  #pull(lane: number): LanePull {
    return { lane, from: this.#held, limit: this.#limit() };
  }

  #limit(): number {
    return Math.min(this.#held + this.window, this.#size ?? Number.MAX_SAFE_INTEGER);
  }
}
