/** A link without a network, for tests: what is asked goes to `answer`, what the server says to `hear`. */
import type { Asks, Tells } from "../events";
import type { Link } from "../Link";
import { RoomdropError } from "../RoomdropError";

export type Answer = (event: keyof Asks, say: never, bytes?: Uint8Array) => unknown;

export class FakeLink implements Link {
  up = false;
  readonly #listeners = new Map<string, Set<(said: never, bytes?: Uint8Array) => void>>();
  /** Rejects what waits for an answer, as a cut does. */
  readonly #waiting = new Set<(error: Error) => void>();

  /** `answer` returns or resolves with the data, or throws a `RoomdropError`. */
  constructor(private readonly answer: Answer) {}

  async ask<E extends keyof Asks>(
    event: E,
    say: Asks[E]["say"],
    bytes?: Uint8Array,
  ): Promise<Asks[E]["hear"]> {
    if (!this.up) throw gone();
    let reject: (error: Error) => void = () => undefined;
    const cut = new Promise<never>((_resolve, refuse) => {
      reject = refuse;
      this.#waiting.add(refuse);
    });
    const answered = Promise.resolve().then(() => this.answer(event, say as never, bytes));
    try {
      return (await Promise.race([answered, cut])) as Asks[E]["hear"];
    } finally {
      this.#waiting.delete(reject);
    }
  }

  tell<E extends keyof Asks>(event: E, say: Asks[E]["say"]): void {
    if (this.up) void this.ask(event, say).catch(() => undefined);
  }

  on<E extends keyof Tells>(event: E, listener: (said: Tells[E], bytes?: Uint8Array) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** The server says `event`; lost while the link is down. */
  hear<E extends keyof Tells>(event: E, said: Tells[E], bytes?: Uint8Array): void {
    if (!this.up) return;
    for (const listener of this.#listeners.get(event) ?? []) listener(said as never, bytes);
  }

  cut(): void {
    this.up = false;
    for (const reject of this.#waiting) reject(gone());
  }
}

function gone(): RoomdropError {
  return new RoomdropError("disconnected", "the link is down");
}
