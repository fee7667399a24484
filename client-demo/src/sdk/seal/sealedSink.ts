/**
 * Takes what is sealed, and writes what was meant into another sink: whole records, in order, each opened before a
 * byte of it is kept. It refuses to finish before the trailer was opened and agrees: only then is it all there, in
 * its order, and what was sent. A record that is not whole yet is held in memory; a page that reloads asks for it again.
 */
import { RoomdropError } from "../RoomdropError";
import type { Finished, Sink, SinkOpener, SinkTarget } from "../Sink";
import { recordStart } from "./layout";
import { type Cut, RecordCutter } from "./RecordCutter";
import { openRecord, openTrailer, type Sealing } from "./records";

/** Opens `inner` for the file as it is `plain`, behind a sink of what is sealed. */
export function sealedOpener(inner: SinkOpener, sealing: Sealing, plain: SinkTarget): SinkOpener {
  return {
    kind: inner.kind,
    async open() {
      const key = await sealing.key();
      return new SealedSink(await inner.open(plain), key, sealing.record, plain.size);
    },
  };
}

class SealedSink implements Sink {
  readonly held: number;
  readonly #cutter: RecordCutter;
  /** Plain bytes that are written, or about to be. */
  #end: number;
  /** Resolves when all records so far were handed to the inner sink; rejects for good once one does not open. */
  #handed: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly inner: Sink,
    private readonly key: CryptoKey,
    private readonly record: number,
    private readonly size: number | null,
  ) {
    const whole = Math.floor(inner.held / record);
    this.held = recordStart(whole, record);
    this.#end = whole * record;
    this.#cutter = new RecordCutter(record, whole, true);
  }

  async write(_offset: number, bytes: Uint8Array): Promise<void> {
    await Promise.all(this.#cutter.push(bytes).map((cut) => this.#take(cut)));
  }

  async finish(): Promise<Finished> {
    const { last, trailer } = this.#cutter.end();
    if (last) await this.#take(last);
    await this.#handed;
    const said = trailer && (await openTrailer(this.key, trailer.index, trailer.bytes));
    if (!said || (this.size !== null && this.#end !== this.size)) throw broken();
    const { digest } = await this.inner.finish();
    if (digest && said.digest && digest !== said.digest) {
      throw new RoomdropError("digest_mismatch", "What arrived is not what was sent; accept it again.");
    }
    // The digest of what is plain is nothing for the server, and the trailer has proved all there is to prove.
    return { digest: undefined, verified: true };
  }

  done(): void {
    this.inner.done?.();
  }

  file(): Promise<Blob> {
    return this.inner.file();
  }

  close(): void {
    this.inner.close();
  }

  discard(): Promise<void> {
    return this.inner.discard();
  }

  /** Opens a record at once, and writes it in its turn. */
  async #take(cut: Cut): Promise<void> {
    const opening = openRecord(this.key, cut.index, "data", cut.bytes);
    const handed = this.#handed.then(async () => {
      const plain = await opening;
      if (!plain) throw broken();
      this.#end = cut.index * this.record + plain.byteLength;
      return { written: this.inner.write(cut.index * this.record, plain) };
    });
    this.#handed = handed;
    await (await handed).written;
  }
}

export function broken(): RoomdropError {
  return new RoomdropError(
    "seal_broken",
    "What arrived was changed on its way, or was encrypted for another link; accept it again.",
  );
}
