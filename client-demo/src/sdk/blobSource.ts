/**
 * A `File` or `Blob` as a source. It reads ahead where it is read in order, because each reading costs a
 * browser about as much as half a mebibyte of it; what was read ahead and is not asked for is let go.
 */
import { MIB } from "./ChunkSize";
import { blobDigest } from "./digest";
import { RoomdropError } from "./RoomdropError";
import type { Source } from "./Source";

/** Bytes read at once, when they are read in order. */
const AHEAD = 4 * MIB;
/** Milliseconds for which bytes read ahead are kept. */
const KEPT = 2000;

interface Block {
  from: number;
  bytes: Uint8Array;
}

export function blobSource(blob: Blob): Source {
  return new BlobSource(blob);
}

class BlobSource implements Source {
  /** What was read ahead last. One is enough: lanes that run at once rarely read in step. */
  #block: Block | undefined;
  /** Where the next reading in order would begin. */
  #next = -1;
  #forget: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly blob: Blob) {}

  get size(): number {
    return this.blob.size;
  }

  async read(offset: number, len: number): Promise<Uint8Array> {
    const inOrder = offset === this.#next;
    this.#next = offset + len;
    const at = this.#block ? offset - this.#block.from : -1;
    if (this.#block && at >= 0 && at + len <= this.#block.bytes.byteLength) {
      return this.#take(this.#block, at, len);
    }
    // The first of a lane is read alone: nothing is read ahead before sending starts.
    const want = inOrder ? Math.min(Math.max(AHEAD, len), this.blob.size - offset) : len;
    const bytes = await this.#range(offset, Math.max(want, len));
    if (bytes.byteLength > len) this.#keep({ from: offset, bytes });
    return bytes.subarray(0, len);
  }

  digest(): Promise<string | undefined> {
    return blobDigest(this.blob);
  }

  #take(block: Block, at: number, len: number): Uint8Array {
    if (at + len === block.bytes.byteLength) this.#block = undefined;
    return block.bytes.subarray(at, at + len);
  }

  #keep(block: Block): void {
    this.#block = block;
    clearTimeout(this.#forget);
    this.#forget = setTimeout(() => {
      this.#block = undefined;
    }, KEPT);
  }

  async #range(offset: number, len: number): Promise<Uint8Array> {
    const buffer = await this.blob
      .slice(offset, offset + len)
      .arrayBuffer()
      .catch((error: unknown) => {
        throw changed(error);
      });
    if (buffer.byteLength !== len) throw changed();
    return new Uint8Array(buffer);
  }
}

function changed(cause?: unknown): RoomdropError {
  return new RoomdropError(
    "file_changed",
    "The file was changed, moved or removed while it was being sent; offer it again.",
    { cause },
  );
}
