/**
 * Lane numbers that only rise, across reloads of the page too: the clock's milliseconds, or one more than
 * the last. They stay far below 2^53 − 1, the largest that JSON carries exactly.
 */
export class LaneNumbers {
  #last: number;

  /** `last` is the highest number used before, if that is known. */
  constructor(
    last = 0,
    private readonly now: () => number = Date.now,
  ) {
    this.#last = last;
  }

  /** A number higher than any before. */
  next(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.now()));
    return this.#last;
  }
}
