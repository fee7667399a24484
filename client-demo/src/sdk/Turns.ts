/**
 * What the server says, taken in the order in which it was said, also where some of it has to be opened first. With
 * nothing to wait for it happens at once.
 */
export class Turns {
  #last: Promise<void> | undefined;

  /** Begins to open it now; `then` gets it when everything before is done. */
  take<T>(open: () => T | Promise<T>, then: (opened: T) => void): void {
    const opened = open();
    if (!this.#last && !(opened instanceof Promise)) {
      then(opened);
      return;
    }
    const turn = (this.#last ?? Promise.resolve())
      .then(async () => then(await opened))
      .catch((error: unknown) => {
        // A fault of ours, reported as any uncaught error is; what comes after it is still taken.
        queueMicrotask(() => {
          throw error;
        });
      });
    this.#last = turn;
    void turn.then(() => {
      if (this.#last === turn) this.#last = undefined;
    });
  }
}
