/**
 * BLAKE3 of a blob, in a worker, so that neither the page nor the first byte waits for it. Where workers or
 * WebAssembly are not to be had (a content security policy without `wasm-unsafe-eval`), there is no digest:
 * it is a check on top, never a condition.
 */

/** What the worker is asked: all of a blob, the next piece of a stream, or the stream's digest. */
export type HashJob =
  | { id: number; blob: Blob }
  | { id: number; piece: Uint8Array }
  | { id: number; end: true };

interface Reply {
  id: number;
  digest: string | undefined;
}

let worker: Worker | undefined;
let lastId = 0;
const waiting = new Map<number, (digest: string | undefined) => void>();

/** `blake3:` and 64 hex digits, or nothing when it can't be computed. Blobs queue; each is read once. */
export function blobDigest(blob: Blob): Promise<string | undefined> {
  if (typeof Worker === "undefined") return Promise.resolve(undefined);
  lastId += 1;
  return ask({ id: lastId, blob });
}

/** The digest of a stream, computed as its pieces come. */
export class StreamHash {
  readonly #id: number;

  private constructor() {
    lastId += 1;
    this.#id = lastId;
  }

  /** Nothing where it can't be computed. */
  static start(): StreamHash | undefined {
    return typeof Worker === "undefined" ? undefined : new StreamHash();
  }

  take(piece: Uint8Array): void {
    // A copy, handed over: as part of a larger block, the whole block would be copied.
    const copy = piece.slice();
    hand({ id: this.#id, piece: copy }, [copy.buffer]);
  }

  /** The digest of all pieces; to be called once. */
  finish(): Promise<string | undefined> {
    return ask({ id: this.#id, end: true });
  }
}

function ask(job: HashJob): Promise<string | undefined> {
  return new Promise((resolve) => {
    waiting.set(job.id, resolve);
    hand(job);
  });
}

function hand(job: HashJob, transfer: Transferable[] = []): void {
  worker ??= start();
  worker.postMessage(job, transfer);
}

function start(): Worker {
  const started = new Worker(new URL("./digest.worker.ts", import.meta.url), { type: "module" });
  started.onmessage = (event: MessageEvent<Reply>) => {
    waiting.get(event.data.id)?.(event.data.digest);
    waiting.delete(event.data.id);
  };
  started.onerror = () => {
    for (const resolve of waiting.values()) resolve(undefined);
    waiting.clear();
    started.terminate();
    if (worker === started) worker = undefined;
  };
  return started;
}
