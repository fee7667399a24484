/**
 * A file as a source of what is sealed: any range of it, always the same bytes, so that several receivers, seeks and
 * a sender that comes back after a reload go together. The trailer has the digest that the file's own source knows. It
 * refuses to make a second key: one salt, one file.
 */
import type { Source } from "../Source";
import { recordStart, sealedSize, TRAILER } from "./layout";
import { type Sealing, sealRecord, sealTrailer } from "./records";

/** Without `digest` the trailer says none. */
export function sealedSource(inner: Source, sealing: Sealing, digest: boolean): Source {
  return new SealedSource(inner, sealing, digest);
}

interface Sealed {
  index: number;
  bytes: Uint8Array;
}

class SealedSource implements Source {
  readonly size: number;
  readonly #record: number;
  /** The last record sealed: the next chunk begins within it as a rule. */
  #last: Sealed | undefined;
  #trailer: Promise<Uint8Array> | undefined;

  constructor(
    private readonly inner: Source,
    private readonly sealing: Sealing,
    private readonly hashed: boolean,
  ) {
    this.#record = sealing.record;
    this.size = sealedSize(inner.size, this.#record);
  }

  async read(offset: number, len: number): Promise<Uint8Array> {
    const bodyEnd = this.size - TRAILER;
    const end = offset + len;
    const bytes = new Uint8Array(len);
    if (offset < bodyEnd) {
      for (const { index, bytes: sealed } of await this.#records(offset, Math.min(end, bodyEnd))) {
        put(sealed, recordStart(index, this.#record), bytes, offset);
      }
    }
    if (end > bodyEnd) put(await this.#end(), bodyEnd, bytes, offset);
    return bytes;
  }

  close(): void {
    this.inner.close?.();
  }

  /** The records that hold the bytes on the wire from `from` up to, not including, `to`. */
  async #records(from: number, to: number): Promise<Sealed[]> {
    const step = recordStart(1, this.#record);
    const first = Math.floor(from / step);
    const known = this.#last?.index === first ? [this.#last] : [];
    const begin = first + known.length;
    const made = begin * step < to ? await this.#seal(begin, Math.ceil(to / step)) : [];
    this.#last = made.at(-1) ?? this.#last;
    return [...known, ...made];
  }

  /** Records `first` up to, not including, `end`, from one reading of the file. */
  async #seal(first: number, end: number): Promise<Sealed[]> {
    const at = first * this.#record;
    const plain = await this.inner.read(at, Math.min(end * this.#record, this.inner.size) - at);
    const key = await this.sealing.key();
    const records = Array.from({ length: end - first }, async (_, nth): Promise<Sealed> => {
      const part = plain.subarray(nth * this.#record, (nth + 1) * this.#record) as Uint8Array<ArrayBuffer>;
      return {
        index: first + nth,
        bytes: new Uint8Array(await sealRecord(key, first + nth, "data", part)),
      };
    });
    return Promise.all(records);
  }

  #end(): Promise<Uint8Array> {
    this.#trailer ??= this.#whole().then(async (digest) => {
      const index = Math.ceil(this.inner.size / this.#record);
      return new Uint8Array(await sealTrailer(await this.sealing.key(), index, { digest }));
    });
    return this.#trailer;
  }

  async #whole(): Promise<string | undefined> {
    return this.hashed ? this.inner.digest?.() : undefined;
  }
}

/** Copies what `part`, which stands at `at`, has of what `into`, which stands at `offset`, is to hold. */
function put(part: Uint8Array, at: number, into: Uint8Array, offset: number): void {
  const from = Math.max(at, offset);
  const to = Math.min(at + part.byteLength, offset + into.byteLength);
  if (from < to) into.set(part.subarray(from - at, to - at), from - offset);
}
