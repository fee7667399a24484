/** Hashes blobs, one after the other; the other half is `digest.ts`. */
import { createBLAKE3 } from "hash-wasm";
import { MIB } from "./ChunkSize";

interface Job {
  id: number;
  blob: Blob;
}

/** Bytes read at once. */
const STRIDE = 4 * MIB;

let last: Promise<void> = Promise.resolve();

self.onmessage = (event: MessageEvent<Job>) => {
  const { id, blob } = event.data;
  last = last.then(async () => {
    const digest = await hash(blob).catch(() => undefined);
    self.postMessage({ id, digest });
  });
};

async function hash(blob: Blob): Promise<string> {
  const hasher = await createBLAKE3();
  hasher.init();
  for (let offset = 0; offset < blob.size; offset += STRIDE) {
    hasher.update(new Uint8Array(await blob.slice(offset, offset + STRIDE).arrayBuffer()));
  }
  return `blake3:${hasher.digest("hex")}`;
}
