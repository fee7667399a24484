/**
 * BLAKE3 itself, where it is computed: in the worker, or in place where there are no workers, as in Node. A blob is
 * read in slices, with room for other work between them.
 */
import { createBLAKE3, type IHasher } from "hash-wasm";
import { MIB } from "./ChunkSize";

/** Bytes read at once. */
const STRIDE = 4 * MIB;

/** A hasher to feed; ready for the first byte. */
export async function newHasher(): Promise<IHasher> {
  return (await createBLAKE3()).init();
}

/** `blake3:` and the digest of what the hasher was fed, once. */
export function digestOf(hasher: IHasher): string {
  return `blake3:${hasher.digest("hex")}`;
}

/** The digest of all of a blob, by a hasher that is free; rejects when it can't be read. */
export async function hashBlob(blob: Blob, hasher: IHasher): Promise<string> {
  hasher.init();
  for (let offset = 0; offset < blob.size; offset += STRIDE) {
    hasher.update(new Uint8Array(await blob.slice(offset, offset + STRIDE).arrayBuffer()));
  }
  return digestOf(hasher);
}
