/**
 * What happened, for `for await`: a queue between who tells and who iterates. Bounded: what is the same thing told
 * again replaces what is still in the queue, and where that does not help and the queue is full, the iteration
 * ends with `fell_behind`. It refuses to leave anything out silently.
 */
import { onAbort } from "./aborting";
import { RoomdropError } from "./RoomdropError";

export interface FeedOptions<T> {
  /** Values that wait to be taken, at most. */
  limit: number;
  /** What a value tells about: of the same, only the newest waits. Default: each of its own. */
  about?: (value: T) => unknown;
  signal?: AbortSignal | undefined;
  /** Nobody iterates any more. */
  closed: () => void;
}

type State = { name: "open" } | { name: "ended" } | { name: "failed"; error: unknown };

export class Feed<T> implements AsyncIterableIterator<T> {
  #state: State = { name: "open" };
  /** In the order in which they were first told. */
  readonly #queue = new Map<unknown, T>();
  #wake: () => void = () => undefined;
  readonly #off: () => void;

  constructor(private readonly options: FeedOptions<T>) {
    this.#off = onAbort(options.signal, (reason) => {
      this.#queue.clear();
      this.#close({ name: "failed", error: reason });
    });
  }

  /** Tells whoever iterates. */
  push(value: T): void {
    if (this.#state.name !== "open") return;
    const { about, limit } = this.options;
    this.#queue.set(about ? about(value) : Symbol(), value);
    if (this.#queue.size > limit) {
      const why = `More than ${limit} events waited to be taken; take them sooner, or ask for a higher limit.`;
      this.#close({ name: "failed", error: new RoomdropError("fell_behind", why) });
    }
    this.#wake();
  }

  /** Nothing follows; what waits is still taken. */
  end(): void {
    this.#close({ name: "ended" });
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      for (const [about, value] of this.#queue) {
        this.#queue.delete(about);
        return { done: false, value };
      }
      const state = this.#state;
      if (state.name === "failed") {
        this.#state = { name: "ended" };
        throw state.error;
      }
      if (state.name === "ended") return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#queue.clear();
    this.#close({ name: "ended" });
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #close(state: State): void {
    if (this.#state.name !== "open") return;
    this.#state = state;
    this.#off?.();
    this.options.closed();
    this.#wake();
  }
}
