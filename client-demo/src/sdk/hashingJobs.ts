/**
 * The jobs of `digest.ts`: blobs one after the other, small ones past the large, and streams as they come. The same
 * in the worker and in place; it refuses to fail: what can't be computed has no digest.
 */
import type { IHasher } from "hash-wasm";
import { MIB } from "./ChunkSize";
import { digestOf, hashBlob, newHasher } from "./hashing";

/** What is asked: all of a blob, the next piece of a stream, the stream's digest, or to forget the stream. */
export type HashJob =
  | { id: number; blob: Blob }
  | { id: number; piece: Uint8Array }
  | { id: number; end: true }
  | { id: number; drop: true };

export interface HashReply {
  id: number;
  digest: string | undefined;
}

/** Bytes up to which a blob is small: done sooner than anyone waits for it. */
const SMALL = MIB;

/** Takes jobs; `reply` is called for each that is answered. */
export function hashingJobs(reply: (reply: HashReply) => void): (job: HashJob) => void {
  const small = blobsInTurn();
  const large = blobsInTurn();
  const streams = new Streams();
  return (job) => {
    if ("piece" in job) return streams.take(job.id, job.piece);
    if ("drop" in job) return streams.drop(job.id);
    const computing = "end" in job ? streams.end(job.id) : (job.blob.size <= SMALL ? small : large)(job.blob);
    void computing.catch(() => undefined).then((digest) => reply({ id: job.id, digest }));
  };
}

/** One after the other, with one hasher for all. */
function blobsInTurn(): (blob: Blob) => Promise<string> {
  let hasher: Promise<IHasher> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  return (blob) => {
    hasher ??= newHasher();
    const ready = hasher;
    const turn = last.then(async () => hashBlob(blob, await ready));
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** Each with a hasher of its own, fed in the order in which its pieces came. */
class Streams {
  readonly #fed = new Map<number, Promise<IHasher>>();

  take(id: number, piece: Uint8Array): void {
    const fed = this.#of(id).then((hasher) => hasher.update(piece));
    fed.catch(() => undefined); // it shows at the end
    this.#fed.set(id, fed);
  }

  async end(id: number): Promise<string> {
    const fed = this.#of(id);
    this.#fed.delete(id);
    return digestOf(await fed);
  }

  drop(id: number): void {
    this.#fed.delete(id);
  }

  #of(id: number): Promise<IHasher> {
    return this.#fed.get(id) ?? newHasher();
  }
}
