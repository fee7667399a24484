/**
 * A live stream, sealed as it comes: full records as they fill, the rest and the trailer at its end. It refuses to
 * hold a microphone once nobody wants its sound.
 */
import { StreamHash } from "../digest";
import { type LiveBytes, LiveSource } from "../LiveSource";
import { type Sealing, sealRecord, sealTrailer } from "./records";

/** Bytes taken from the stream at once. */
const MOST = 256 * 1024;

/** Without `digest` the trailer says none. */
export function sealedStream(
  stream: LiveBytes,
  sealing: Sealing,
  digest: boolean,
): AsyncIterable<Uint8Array> {
  return new SealedStream(new LiveSource(stream), sealing, digest ? new StreamHash() : undefined);
}

class SealedStream implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  #rest: Uint8Array = new Uint8Array(0);
  #index = 0;
  #state: "flowing" | "over" = "flowing";

  constructor(
    private readonly source: LiveSource,
    private readonly sealing: Sealing,
    private readonly hash: StreamHash | undefined,
  ) {}

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    while (this.#state === "flowing") {
      const bytes = await this.source.next(MOST);
      if (!bytes) {
        this.#state = "over";
        return { done: false, value: await this.#end() };
      }
      this.hash?.take(bytes);
      const value = await this.#full(bytes);
      if (value.byteLength > 0) return { done: false, value };
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#state = "over";
    this.source.close();
    return { done: true, value: undefined };
  }

  /** The records that are full with `bytes`; what is left waits. */
  async #full(bytes: Uint8Array): Promise<Uint8Array> {
    const { record } = this.sealing;
    const all = joined([this.#rest, bytes]);
    const full = Math.floor(all.byteLength / record);
    this.#rest = all.subarray(full * record);
    const key = await this.sealing.key();
    const sealed = Array.from({ length: full }, (_, nth) =>
      sealRecord(key, this.#index + nth, "data", all.subarray(nth * record, (nth + 1) * record)),
    );
    this.#index += full;
    return joined((await Promise.all(sealed)).map((buffer) => new Uint8Array(buffer)));
  }

  async #end(): Promise<Uint8Array> {
    const key = await this.sealing.key();
    const last = this.#rest as Uint8Array<ArrayBuffer>;
    const parts = last.byteLength > 0 ? [await sealRecord(key, this.#index, "data", last)] : [];
    const digest = await this.hash?.finish();
    parts.push(await sealTrailer(key, this.#index + parts.length, { digest }));
    return joined(parts.map((buffer) => new Uint8Array(buffer)));
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
