/** Hashes blobs, one after the other, and streams as they come; the other half is `digest.ts`. */
import { createBLAKE3, type IHasher } from "hash-wasm";
import { MIB } from "./ChunkSize";
import type { HashJob } from "./digest";

/** Bytes read at once. */
const STRIDE = 4 * MIB;

let last: Promise<void> = Promise.resolve();

const streams = new Map<number, IHasher>();

self.onmessage = ({ data }: MessageEvent<HashJob>) => {
  last = last.then(async () => {
    if ("piece" in data) return take(data.id, data.piece).catch(() => undefined);
    const digest = await ("blob" in data ? hash(data.blob) : end(data.id)).catch(() => undefined);
    self.postMessage({ id: data.id, digest });
  });
};

async function take(id: number, piece: Uint8Array): Promise<void> {
  const hasher = streams.get(id) ?? (await createBLAKE3()).init();
  streams.set(id, hasher.update(piece));
}

async function end(id: number): Promise<string> {
  const hasher = streams.get(id) ?? (await createBLAKE3()).init();
  streams.delete(id);
  return `blake3:${hasher.digest("hex")}`;
}

async function hash(blob: Blob): Promise<string> {
  const hasher = await createBLAKE3();
  hasher.init();
  for (let offset = 0; offset < blob.size; offset += STRIDE) {
    hasher.update(new Uint8Array(await blob.slice(offset, offset + STRIDE).arrayBuffer()));
  }
  return `blake3:${hasher.digest("hex")}`;
}
