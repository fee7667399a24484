/**
 * Giving up by an `AbortSignal`, as the web does it: whoever waits is rejected at once with the signal's reason,
 * and what is under way is taken back. It refuses to leave its listeners behind on a signal that lives on.
 */

/** As `work`, or rejects with the signal's reason as soon as it is aborted; `work` itself goes on unheard. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  if (signal.aborted) {
    work.catch(() => undefined); // nobody hears of it
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const off = onAbort(signal, reject);
    work.then(resolve, reject).finally(off);
  });
}

/** Calls `then` with the reason when, or if already, it is aborted, until the function it returns is called. */
export function onAbort(signal: AbortSignal | undefined, then: (reason: unknown) => void): () => void {
  if (!signal) return () => undefined;
  const aborted = () => then(signal.reason);
  if (signal.aborted) aborted();
  else signal.addEventListener("abort", aborted, { once: true });
  return () => signal.removeEventListener("abort", aborted);
}
