/**
 * How large the next chunk is: the protocol's pacing rule and nothing else. Pure; it knows no clock, only
 * how long an acknowledgement took.
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** The sizes between which chunks grow and shrink when the server states none. */
export const CHUNK_MIN = 100 * KIB;
export const CHUNK_MAX = 5 * MIB;

/** A chunk never takes more than this share of the credit at hand, so that several are in flight. */
const SHARE_OF_CREDIT = 4;
const STEP = 100 * KIB;
/** Where pacing begins: the size that a relay carries best, and small enough for a slow link. */
const START = 256 * KIB;

export class ChunkSize {
  #size: number;
  #min = CHUNK_MIN;
  #max = CHUNK_MAX;

  constructor(start: number = START) {
    this.#size = clamp(start, this.#min, this.#max);
  }

  /** The size by pacing alone, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Takes the server's `chunk` from `source:open`. */
  bound(chunk: { min: number; max: number }): void {
    this.#max = Math.max(1, Math.min(CHUNK_MAX, chunk.max));
    this.#min = Math.min(CHUNK_MIN, this.#max);
    this.#size = clamp(this.#size, this.#min, this.#max);
  }

  /** A chunk was acknowledged `milliseconds` after it was sent. */
  acknowledged(milliseconds: number): void {
    if (milliseconds < 1000) this.#size *= 2;
    else if (milliseconds < 2000) this.#size += STEP;
    this.#size = clamp(this.#size, this.#min, this.#max);
  }

  /** One more second went by and a chunk is still not acknowledged. */
  secondWithoutAcknowledgement(): void {
    this.#size = clamp(this.#size - STEP, this.#min, this.#max);
  }

  /**
   * Bytes of the next chunk, given `credit` bytes that may be sent; 0 means: wait.
   *
   * The rule contradicts itself where a quarter of the credit is less than the smallest size. There the
   * chunk waits while others are in flight, since more credit is then on its way; with nothing in flight it
   * is the smallest size, or the credit where that is less: the rest of a lane has to be sent in the end.
   */
  next(credit: number, inFlight: number): number {
    if (credit <= 0) return 0;
    const share = Math.floor(credit / SHARE_OF_CREDIT);
    if (share >= this.#min) return Math.min(this.#size, share);
    return inFlight === 0 ? Math.min(this.#min, credit) : 0;
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
