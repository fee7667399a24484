/**
 * The jobs of `digest.ts`, one after the other: blobs, and streams as they come. The same in the worker and in
 * place; it refuses to fail: what can't be computed has no digest.
 */
import type { IHasher } from "hash-wasm";
import { digestOf, hashBlob, newHasher } from "./hashing";

/** What is asked: all of a blob, the next piece of a stream, or the stream's digest. */
export type HashJob =
  | { id: number; blob: Blob }
  | { id: number; piece: Uint8Array }
  | { id: number; end: true };

export interface HashReply {
  id: number;
  digest: string | undefined;
}

/** Takes jobs; `reply` is called for each that is answered. */
export function hashingJobs(reply: (reply: HashReply) => void): (job: HashJob) => void {
  const streams = new Map<number, IHasher>();
  let last: Promise<void> = Promise.resolve();

  const stream = async (id: number) => {
    const hasher = streams.get(id) ?? (await newHasher());
    streams.set(id, hasher);
    return hasher;
  };
  const end = async (id: number) => {
    const hasher = await stream(id);
    streams.delete(id);
    return digestOf(hasher);
  };
  return (job) => {
    last = last.then(async () => {
      if ("piece" in job) {
        const { id, piece } = job;
        await stream(id).then(
          (hasher) => hasher.update(piece),
          () => undefined,
        );
        return;
      }
      const digest = await ("blob" in job ? hashBlob(job.blob) : end(job.id)).catch(() => undefined);
      reply({ id: job.id, digest });
    });
  };
}
