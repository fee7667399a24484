/**
 * One namespace as the SDK sees it: ask, tell, listen, and know whether it is up. A port, so that the
 * producer and the consumer are tested without a network; `SocketLink` is the real one. It refuses to
 * queue: what is said while the link is down is not said later, since by then it would be wrong.
 */
import type { Asks, Tells } from "./events";

export interface Link {
  /** Whether the server can be reached now. */
  readonly up: boolean;

  /**
   * Sends `event` and resolves with the `data` of a successful answer.
   *
   * Rejects with a `RoomdropError`: the server's code, `disconnected`, or `timeout` (not for `chunk`, whose
   * answer may take as long as the link needs).
   */
  ask<E extends keyof Asks>(event: E, say: Asks[E]["say"], bytes?: Uint8Array): Promise<Asks[E]["hear"]>;

  /** Sends `event` without asking for an answer; nothing happens while the link is down. */
  tell<E extends keyof Asks>(event: E, say: Asks[E]["say"]): void;

  /** Calls `listener` at every `event` until the function it returns is called. */
  on<E extends keyof Tells>(event: E, listener: (said: Tells[E], bytes?: Uint8Array) => void): () => void;
}
