/**
 * Which transfers may begin: a few large ones, since more would only share the same link, beside many small ones,
 * whose time goes into waiting for words and not into bytes. Pure; every question costs the same, however many
 * wait. A large one that has to wait never holds up the small ones behind it.
 */
import { KIB, MIB } from "./ChunkSize";

/** Bytes up to which a transfer is small. One of unknown size is large. */
export const SMALL_SIZE = 512 * KIB;
/** How many move at once, and how many bytes of them. */
export const LARGE = { places: 4, budget: Number.POSITIVE_INFINITY };
export const SMALL = { places: 64, budget: 8 * MIB };
/** Of those that stand still with their source, so many more are begun than may move. */
export const STALLED = 4;

export interface Sized {
  readonly size: number | null;
}

/**
 * How one that was begun stands:
 * - `moving`: its bytes come.
 * - `stalled`: they will when its source is back; then it needs its place.
 * - `resting`: somebody paused it, so it takes no place.
 */
export type Standing = "moving" | "stalled" | "resting";

interface Group<T> {
  waiting: Set<T>;
  begun: Map<T, Standing>;
  moving: number;
  stalled: number;
  bytes: number;
}

export class Admission<T extends Sized> {
  readonly #large: Group<T> = group();
  readonly #small: Group<T> = group();
  /** Sizes may become known later; a transfer stays what it was when it came. */
  readonly #groups = new Map<T, { group: Group<T>; size: number }>();

  /** Lets it wait for its turn, behind those that wait. */
  add(one: T): void {
    this.delete(one);
    const { size } = one;
    const isSmall = size !== null && size <= SMALL_SIZE;
    const into = isSmall ? this.#small : this.#large;
    this.#groups.set(one, { group: into, size: isSmall ? size : 0 });
    into.waiting.add(one);
  }

  /** It stands so now, if it was begun. */
  stands(one: T, standing: Standing): void {
    const known = this.#groups.get(one);
    if (known?.group.begun.has(one)) this.#set(one, known.group, known.size, standing);
  }

  /** It needs no place, and none will be kept for it. */
  delete(one: T): void {
    const known = this.#groups.get(one);
    if (!known) return;
    this.#groups.delete(one);
    known.group.waiting.delete(one);
    this.#set(one, known.group, known.size, undefined);
  }

  /** Takes those whose turn it is; they count as moving from now on. */
  admit(): T[] {
    return [...this.#take(this.#large, LARGE), ...this.#take(this.#small, SMALL)];
  }

  #take(from: Group<T>, { places, budget }: typeof LARGE): T[] {
    const taken: T[] = [];
    for (const one of from.waiting) {
      const { moving, stalled, bytes } = from;
      if (moving >= places || bytes >= budget || moving + stalled >= places * STALLED) break;
      from.waiting.delete(one);
      this.#set(one, from, this.#groups.get(one)?.size ?? 0, "moving");
      taken.push(one);
    }
    return taken;
  }

  #set(one: T, of: Group<T>, size: number, standing: Standing | undefined): void {
    count(of, of.begun.get(one), size, -1);
    count(of, standing, size, 1);
    if (standing) of.begun.set(one, standing);
    else of.begun.delete(one);
  }
}

function count<T>(of: Group<T>, standing: Standing | undefined, size: number, by: 1 | -1): void {
  if (standing === "moving") {
    of.moving += by;
    of.bytes += by * size;
  }
  if (standing === "stalled") of.stalled += by;
}

function group<T>(): Group<T> {
  return { waiting: new Set(), begun: new Map(), moving: 0, stalled: 0, bytes: 0 };
}
