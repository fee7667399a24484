/**
 * Which transfers may move at once: a few large ones, since more would only share the same link, beside many
 * small ones, whose time goes into waiting for words and not into bytes. Pure. A large one that has to wait
 * never holds up the small ones behind it.
 */
import { KIB, MIB } from "./ChunkSize";

/** Large transfers, and those of unknown size, that move at once. */
export const LARGE_AT_ONCE = 4;
/** Small transfers that move at once, as long as their bytes are within the budget. */
export const SMALL_AT_ONCE = 64;
const SMALL_BUDGET = 8 * MIB;
/** Bytes up to which a transfer is small. */
export const SMALL_SIZE = 512 * KIB;

export interface Sized {
  readonly size: number | null;
}

export class Admission<T extends Sized> {
  readonly #large = new Set<T>();
  readonly #small = new Set<T>();

  /** Lets it wait for its turn, behind those that wait. */
  add(one: T): void {
    (isSmall(one) ? this.#small : this.#large).add(one);
  }

  /** It waits no more. */
  delete(one: T): void {
    this.#small.delete(one);
    this.#large.delete(one);
  }

  clear(): void {
    this.#small.clear();
    this.#large.clear();
  }

  /** Takes those whose turn it is, while `moving` move. */
  admit(moving: readonly Sized[]): T[] {
    const small = moving.filter(isSmall);
    const bytes = small.reduce((sum, { size }) => sum + (size ?? 0), 0);
    return [
      ...take(this.#large, LARGE_AT_ONCE - (moving.length - small.length), Number.POSITIVE_INFINITY),
      ...take(this.#small, SMALL_AT_ONCE - small.length, SMALL_BUDGET - bytes),
    ];
  }
}

function take<T extends Sized>(waiting: Set<T>, places: number, budget: number): T[] {
  const taken: T[] = [];
  let left = budget;
  for (const one of waiting) {
    if (taken.length >= places || left <= 0) break;
    left -= one.size ?? 0;
    waiting.delete(one);
    taken.push(one);
  }
  return taken;
}

function isSmall({ size }: Sized): boolean {
  return size !== null && size <= SMALL_SIZE;
}
