/**
 * Opens a sealed file, or a range of it, on its way: for whoever downloads it over HTTP by themselves, such as a service
 * worker. It refuses to end well when anything was missing or wrong; the last record of a whole file of known size is
 * held back until the trailer agrees, so that what is broken is never as long as what is whole.
 */
import { RoomdropError } from "../RoomdropError";
import { sealedRange } from "./layout";
import { type Cut, RecordCutter } from "./RecordCutter";
import { openRecord, openTrailer } from "./records";
import { broken } from "./sealedSink";

/** Computes the digest of the whole along the way; `digest` is `blake3:` and 64 hex digits. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): string;
}

export interface OpenOptions {
  /** The file's key, and the plain bytes of its records: `await incoming.sealing.key()`, `incoming.sealing.record`. */
  key: CryptoKey;
  record: number;
  /** Bytes of the file; `null` for a live stream. */
  size: number | null;
  /** The plain bytes wanted, from `from` up to, not including, `to`. Default: all. */
  range?: { from: number; to: number } | undefined;
  /** What computes the digest of the whole, to be compared with the sender's. Default: nothing. */
  hasher?: Hasher | undefined;
}

/** The bytes on the wire that `openSealed` is to be given; nothing stands for all of them. */
export function wireRange({ record, size, range }: OpenOptions): { from: number; to: number } | undefined {
  return range && size !== null ? sealedRange(range.from, range.to, size, record) : undefined;
}

/** Takes what is sealed, as it comes; gives the file. */
export function openSealed(options: OpenOptions): TransformStream<Uint8Array, Uint8Array> {
  const opening = options.range ? new PartOpening(options, options.range) : new WholeOpening(options);
  return new TransformStream({
    transform: async (bytes, controller) => {
      for (const piece of await opening.push(bytes)) controller.enqueue(piece);
    },
    flush: async (controller) => {
      for (const piece of await opening.end()) controller.enqueue(piece);
    },
  });
}

async function openAll(key: CryptoKey, cuts: readonly Cut[]): Promise<Uint8Array[]> {
  return Promise.all(
    cuts.map(async ({ index, bytes }) => {
      const plain = await openRecord(key, index, "data", bytes);
      if (!plain) throw broken();
      return plain;
    }),
  );
}

/** Some records of a file: each proves itself. */
class PartOpening {
  readonly #cutter: RecordCutter;
  /** Plain bytes to leave out before the first that is wanted, and those still wanted. */
  #skip: number;
  #wanted: number;

  constructor(
    private readonly options: OpenOptions,
    { from, to }: { from: number; to: number },
  ) {
    const first = Math.floor(from / options.record);
    this.#cutter = new RecordCutter(options.record, first, false);
    this.#skip = from - first * options.record;
    this.#wanted = to - from;
  }

  async push(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#wantedOf(await openAll(this.options.key, this.#cutter.push(bytes)));
  }

  async end(): Promise<Uint8Array[]> {
    const { last } = this.#cutter.end();
    const pieces = this.#wantedOf(last ? await openAll(this.options.key, [last]) : []);
    if (this.#wanted > 0) throw broken();
    return pieces;
  }

  #wantedOf(opened: readonly Uint8Array[]): Uint8Array[] {
    return opened.map((plain) => {
      const wanted = plain.subarray(this.#skip, this.#skip + this.#wanted);
      this.#skip = Math.max(0, this.#skip - plain.byteLength);
      this.#wanted -= wanted.byteLength;
      return wanted;
    });
  }
}

/** All of a file: its trailer proves that it is. */
class WholeOpening {
  readonly #cutter: RecordCutter;
  #held: Uint8Array[] = [];
  #length = 0;

  constructor(private readonly options: OpenOptions) {
    this.#cutter = new RecordCutter(options.record, 0, true);
  }

  async push(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#take(await openAll(this.options.key, this.#cutter.push(bytes)));
  }

  async end(): Promise<Uint8Array[]> {
    const { key, size, hasher } = this.options;
    const { last, trailer } = this.#cutter.end();
    const before = this.#take(last ? await openAll(key, [last]) : []);
    const said = trailer && (await openTrailer(key, trailer.index, trailer.bytes));
    if (!said || (size !== null && this.#length !== size)) throw broken();
    if (said.digest && hasher && hasher.digest() !== said.digest) {
      throw new RoomdropError("digest_mismatch", "What arrived is not what was sent; accept it again.");
    }
    return [...before, ...this.#held];
  }

  /** All but the last, which waits for what comes after it. */
  #take(opened: readonly Uint8Array[]): Uint8Array[] {
    for (const plain of opened) {
      this.options.hasher?.update(plain);
      this.#length += plain.byteLength;
    }
    const all = [...this.#held, ...opened];
    // What is live is to be heard now, and has no length that it could pretend to have.
    if (this.options.size === null) return all;
    this.#held = all.slice(-1);
    return all.slice(0, -1);
  }
}
