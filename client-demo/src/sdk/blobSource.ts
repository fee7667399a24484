/**
 * A `File` or `Blob` as a source. It reads ahead where it is read in order, because each reading costs a
 * browser about as much as half a mebibyte of it; what was read ahead and is not asked for is let go. The digest of a
 * large one is computed along the way, as long as it is read from its start: only what is read otherwise is read once
 * more.
 */
import { MIB } from "./ChunkSize";
import { blobDigest, StreamHash } from "./digest";
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

/** Files up to this many bytes are hashed by themselves: a hasher of its own for each would cost more. */
const SMALL = AHEAD;

/**
 * The digest's way: `apart`, in a reading of its own when it is asked for, or begun; `following` what is read, of which
 * it has `seen` so many bytes from the start.
 */
type Digesting =
  | { name: "apart"; digest: Promise<string | undefined> | undefined }
  | { name: "following"; hash: StreamHash | undefined; seen: number };

/** `digest: false` says that nobody will ask for it. */
export function blobSource(blob: Blob, { digest = true }: { digest?: boolean } = {}): Source {
  return new BlobSource(blob, digest);
}

class BlobSource implements Source {
  /** What was read ahead last. One is enough: lanes that run at once rarely read in step. */
  #block: Block | undefined;
  /** Where the next reading in order would begin. */
  #next = -1;
  #forget: ReturnType<typeof setTimeout> | undefined;

  #digesting: Digesting;

  constructor(
    private readonly blob: Blob,
    digest: boolean,
  ) {
    const follows = digest && blob.size > SMALL;
    this.#digesting = follows
      ? { name: "following", hash: undefined, seen: 0 }
      : { name: "apart", digest: undefined };
  }

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
    const digesting = this.#digesting;
    if (digesting.name === "following" && digesting.hash && digesting.seen === this.blob.size) {
      this.#digesting = { name: "apart", digest: digesting.hash.finish() };
    }
    return this.#apart();
  }

  close(): void {
    clearTimeout(this.#forget);
    this.#block = undefined;
    if (this.#digesting.name !== "following") return;
    this.#digesting.hash?.drop();
    this.#digesting = { name: "apart", digest: undefined };
  }

  /** The digest from a reading of its own, unless it is known or under way. */
  #apart(): Promise<string | undefined> {
    const before = this.#digesting;
    if (before.name === "apart" && before.digest) return before.digest;
    if (before.name === "following") before.hash?.drop();
    const digest = blobDigest(this.blob);
    this.#digesting = { name: "apart", digest };
    return digest;
  }

  /** Lets the digest follow what was read at `at`; what is not from the start is read again, from now on. */
  #follow(at: number, bytes: Uint8Array): void {
    const digesting = this.#digesting;
    if (digesting.name !== "following") return;
    const { seen } = digesting;
    const end = at + bytes.byteLength;
    if (at > seen) void this.#apart();
    else if (end > seen) {
      digesting.hash ??= new StreamHash();
      digesting.hash.take(bytes.subarray(seen - at));
      digesting.seen = end;
    }
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
    const bytes = new Uint8Array(buffer);
    this.#follow(offset, bytes);
    return bytes;
  }
}

function changed(cause?: unknown): RoomdropError {
  return new RoomdropError(
    "file_changed",
    "The file was changed, moved or removed while it was being sent; offer it again.",
    { cause },
  );
}
