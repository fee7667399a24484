/**
 * Typed events. Exists so that every class of the SDK tells what happened in one way; it refuses to let a
 * listener that throws harm the one who emits, or the listeners after it.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();

  /** Calls `listener` at every `event` until the function it returns is called. */
  on<E extends keyof Events>(event: E, listener: (value: Events[E]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Tells everyone who listens. */
  emit<E extends keyof Events>(event: E, value: Events[E]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        (listener as (value: Events[E]) => void)(value);
      } catch (error) {
        // The listener's fault, reported as any uncaught error is, but not to the one who emits.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
