/** A `File` or `Blob` as a source. */
import { blobDigest } from "./digest";
import { RoomdropError } from "./RoomdropError";
import type { Source } from "./Source";

export function blobSource(blob: Blob): Source {
  return {
    size: blob.size,
    async read(offset, len) {
      const bytes = await readRange(blob, offset, len);
      if (bytes.byteLength !== len) throw changed();
      return new Uint8Array(bytes);
    },
    digest: () => blobDigest(blob),
  };
}

async function readRange(blob: Blob, offset: number, len: number): Promise<ArrayBuffer> {
  try {
    return await blob.slice(offset, offset + len).arrayBuffer();
  } catch (error) {
    throw changed(error);
  }
}

function changed(cause?: unknown): RoomdropError {
  return new RoomdropError(
    "file_changed",
    "The file was changed, moved or removed while it was being sent; offer it again.",
    { cause },
  );
}
