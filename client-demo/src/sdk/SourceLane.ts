/**
 * What a producer decides about one lane: from where to where, and what a refusal or a repeated pull means.
 * Pure. It refuses to run beyond the limit, and to let a late refusal end a run that began after it.
 */

/**
 * - `serving`: chunks go out as credit allows.
 * - `refused`: the server did not want a chunk; nothing goes out until it pulls again.
 * - `stopped`: over.
 */
export type LaneState = "serving" | "refused" | "stopped";

export class SourceLane {
  #state: LaneState = "serving";
  #next: number;
  #limit: number;
  #run = 0;

  constructor(
    readonly lane: number,
    from: number,
    limit: number,
  ) {
    this.#next = from;
    this.#limit = limit;
  }

  get state(): LaneState {
    return this.#state;
  }

  /** Offset of the next chunk. */
  get next(): number {
    return this.#next;
  }

  /** Which start this is: a chunk belongs to the run it was sent in. */
  get run(): number {
    return this.#run;
  }

  /** Bytes that may be sent now, in a file of `size` bytes. */
  credit(size: number): number {
    return this.#state === "serving" ? Math.max(0, Math.min(this.#limit, size) - this.#next) : 0;
  }

  /** The server pulled on this lane again: more credit, or, after a refusal, a new start. */
  pulled(from: number, limit: number): void {
    if (this.#state === "stopped") return;
    if (this.#state === "refused") {
      this.#restart(from);
      this.#limit = limit;
      return;
    }
    this.#limit = Math.max(this.#limit, limit);
  }

  /** `len` bytes went out from `next`. */
  sent(len: number): void {
    this.#next += len;
  }

  /** A chunk of `run` was refused for what it was. */
  refused(run: number): void {
    if (run === this.#run && this.#state === "serving") this.#state = "refused";
  }

  /** After a refusal that passes by itself: goes on from `offset` without waiting for a pull. */
  again(offset: number): void {
    if (this.#state === "refused") this.#restart(offset);
  }

  stop(): void {
    this.#state = "stopped";
  }

  #restart(from: number): void {
    this.#state = "serving";
    this.#next = from;
    this.#run += 1;
  }
}
