/**
 * Cuts bytes on the wire, in pieces of any size, back into records. Pure. It copies only what a piece has cut, and
 * refuses to hand out the last record before the end is known: it may be a short one, and the trailer.
 */
import { TAG, TRAILER } from "./layout";

/** A record as it came. */
export interface Cut {
  index: number;
  bytes: Uint8Array<ArrayBuffer>;
}

export class RecordCutter {
  readonly #step: number;
  #pieces: Uint8Array[] = [];
  #length = 0;

  /**
   * Begins at record `index`. With `trailer` the bytes end with one; without it they are records of a part of the
   * file.
   */
  constructor(
    record: number,
    private index: number,
    private readonly trailer: boolean,
  ) {
    this.#step = record + TAG;
  }

  /** The records that are surely whole now. `bytes` may not be changed any more. */
  push(bytes: Uint8Array): Cut[] {
    this.#pieces.push(bytes);
    this.#length += bytes.byteLength;
    const enough = this.#step + (this.trailer ? TRAILER : 0);
    const cuts: Cut[] = [];
    while (this.#length >= enough) cuts.push(this.#cut(this.#step));
    return cuts;
  }

  /** At the end: the last record, if one is left, and the trailer, where there is to be one. */
  end(): { last: Cut | undefined; trailer: Cut | undefined } {
    const left = this.#length - (this.trailer ? TRAILER : 0);
    const last = left > 0 ? this.#cut(left) : undefined;
    return { last, trailer: this.trailer && left >= 0 ? this.#cut(TRAILER) : undefined };
  }

  #cut(length: number): Cut {
    const cut = { index: this.index, bytes: this.#take(length) };
    this.index += 1;
    return cut;
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    this.#length -= length;
    const [first] = this.#pieces;
    if (first && first.byteLength >= length) {
      this.#pieces[0] = first.subarray(length);
      if (first.byteLength === length) this.#pieces.shift();
      return first.subarray(0, length) as Uint8Array<ArrayBuffer>;
    }
    const whole = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const piece = this.#pieces.shift() ?? new Uint8Array(0);
      const part = piece.subarray(0, length - at);
      whole.set(part, at);
      at += part.byteLength;
      if (part.byteLength < piece.byteLength) this.#pieces.unshift(piece.subarray(part.byteLength));
    }
    return whole;
  }
}
