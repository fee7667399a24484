/**
 * How fast, and how much longer: bytes a second over the last few seconds. Pure; the time is an argument.
 */

/** Over how many milliseconds the speed is taken. */
const SPAN = 5000;
/** Samples nearer to each other than this many milliseconds are one. */
const GRAIN = 200;

export class SpeedMeter {
  #samples: { at: number; bytes: number }[] = [];

  /** At `now` (milliseconds), `bytes` in all are done. Fewer than before starts over. */
  note(now: number, bytes: number): void {
    const last = this.#samples.at(-1);
    const before = this.#samples.at(-2);
    if (last && bytes < last.bytes) this.#samples = [];
    if (last && before && last.at - before.at < GRAIN) this.#samples.pop();
    this.#samples.push({ at: now, bytes });
    while (this.#samples.length > 2 && now - (this.#samples[1]?.at ?? now) >= SPAN) this.#samples.shift();
  }

  /** Bytes a second up to `now`; 0 when nothing moved. */
  bytesPerSecond(now: number): number {
    const first = this.#samples.find((sample) => now - sample.at <= SPAN) ?? this.#samples.at(-1);
    const last = this.#samples.at(-1);
    if (!first || !last || last.bytes === first.bytes) return 0;
    return Math.round(((last.bytes - first.bytes) * 1000) / Math.max(GRAIN, now - first.at));
  }

  /** Seconds until `size` bytes are done; `null` while that can't be told. */
  secondsLeft(now: number, size: number | null): number | null {
    const speed = this.bytesPerSecond(now);
    const done = this.#samples.at(-1)?.bytes ?? 0;
    if (size === null || speed === 0) return null;
    return Math.ceil(Math.max(0, size - done) / speed);
  }

  /** Forgets what was, for instance after a pause. */
  reset(): void {
    this.#samples = [];
  }
}
