/**
 * BLAKE3 of a blob or a stream, in a worker, so that neither the page nor the first byte waits for it; in place, in
 * slices, where there are no workers (Node). Where WebAssembly is not to be had (a content security policy without
 * `wasm-unsafe-eval`), there is no digest: it is a check on top, never a condition.
 */
import type { HashJob, HashReply } from "./hashingJobs";

/** Hands a job, and what may be moved with it, to where it is done. */
type Hand = (job: HashJob, transfer: Transferable[]) => void;

let hasher: Hand | undefined;
let lastId = 0;
const waiting = new Map<number, (digest: string | undefined) => void>();

/** `blake3:` and 64 hex digits, or nothing when it can't be computed. Blobs queue; each is read once. */
export function blobDigest(blob: Blob): Promise<string | undefined> {
  lastId += 1;
  return ask({ id: lastId, blob });
}

/** The digest of a stream, computed as its pieces come. */
export class StreamHash {
  readonly #id: number;

  constructor() {
    lastId += 1;
    this.#id = lastId;
  }

  take(piece: Uint8Array): void {
    // A copy, handed over: as part of a larger block, the whole block would be copied.
    const copy = piece.slice();
    hand({ id: this.#id, piece: copy }, [copy.buffer]);
  }

  /** The digest of all pieces, or nothing when it can't be computed; to be called once. */
  finish(): Promise<string | undefined> {
    return ask({ id: this.#id, end: true });
  }

  /** Nobody asks for it any more. */
  drop(): void {
    hand({ id: this.#id, drop: true });
  }
}

function ask(job: HashJob): Promise<string | undefined> {
  return new Promise((resolve) => {
    waiting.set(job.id, resolve);
    hand(job);
  });
}

function hand(job: HashJob, transfer: Transferable[] = []): void {
  hasher ??= typeof Worker === "undefined" ? inPlace() : inWorker();
  hasher(job, transfer);
}

function answered({ id, digest }: HashReply): void {
  waiting.get(id)?.(digest);
  waiting.delete(id);
}

function inWorker(): Hand {
  const worker = new Worker(new URL("./digest.worker.ts", import.meta.url), { type: "module" });
  const post: Hand = (job, transfer) => worker.postMessage(job, transfer);
  worker.onmessage = ({ data }: MessageEvent<HashReply>) => answered(data);
  worker.onerror = () => {
    for (const resolve of waiting.values()) resolve(undefined);
    waiting.clear();
    worker.terminate();
    if (hasher === post) hasher = undefined;
  };
  return post;
}

/** The package is loaded when it is first needed: a page that has workers never needs it here. */
function inPlace(): Hand {
  const taking = import("./hashingJobs").then(
    ({ hashingJobs }) => hashingJobs(answered),
    () => (job: HashJob) => answered({ id: job.id, digest: undefined }),
  );
  return (job) => void taking.then((take) => take(job));
}
