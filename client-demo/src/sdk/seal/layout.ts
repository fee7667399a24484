/**
 * Where what stands in a sealed file: records of a fixed size, each with its tag, and a trailer. Pure arithmetic
 * between offsets of the plain file and offsets on the wire; it refuses sizes that no sealed file can have.
 */
import { KIB, MIB } from "../ChunkSize";

/** Plain bytes of a record of a file. */
export const RECORD = 256 * KIB;
/** Plain bytes of a record of a live stream, and of live sound, of which a second is few bytes: it is to be heard soon. */
export const LIVE_RECORD = 4 * KIB;
export const SOUND_RECORD = KIB;
/** Bytes that sealing adds to a record. */
export const TAG = 16;
/** Bytes of a digest. */
export const DIGEST = 32;
/** Bytes of the trailer on the wire. */
export const TRAILER = DIGEST + TAG;
/** Bytes of a nonce. */
export const NONCE = 12;

/**
 * What a record is, in its nonce: `data`, or the last one, with the digest of the whole or without. The two kinds of
 * trailer differ in their nonce, since no nonce may ever seal two different texts.
 */
export const KINDS = { data: 0, digest: 1, plain: 2 } as const;
export type Kind = keyof typeof KINDS;

/** Plain bytes of a record of such a file; `size` is `null` for a live stream. */
export function recordFor(type: string, size: number | null): number {
  if (size !== null) return RECORD;
  return /^audio\//i.test(type) ? SOUND_RECORD : LIVE_RECORD;
}

/** Whether records may hold so many plain bytes. */
export function isRecordSize(record: number): boolean {
  return Number.isInteger(record) && record >= KIB && record <= MIB;
}

/** Bytes on the wire of a file of `size` bytes. */
export function sealedSize(size: number, record: number): number {
  return size + Math.ceil(size / record) * TAG + TRAILER;
}

/** Bytes of the file that has `sealed` bytes on the wire; nothing when there can be none. */
export function plainSize(sealed: number, record: number): number | undefined {
  const body = sealed - TRAILER;
  if (body < 0) return undefined;
  const last = body % (record + TAG);
  if (last > 0 && last <= TAG) return undefined;
  return body - Math.ceil(body / (record + TAG)) * TAG;
}

/** Plain bytes among the first `sealed` bytes on the wire of a file of `size` bytes (`null` while not known). */
export function plainBefore(sealed: number, record: number, size: number | null): number {
  const step = record + TAG;
  const plain = Math.floor(sealed / step) * record + Math.min(sealed % step, record);
  return Math.min(plain, size ?? Number.MAX_SAFE_INTEGER);
}

/** Where on the wire record `index` begins. */
export function recordStart(index: number, record: number): number {
  return index * (record + TAG);
}

/**
 * The records that hold the plain bytes from `from` up to, not including, `to`, as bytes on the wire; both within a
 * file of `size` bytes, and not the same.
 */
export function sealedRange(
  from: number,
  to: number,
  size: number,
  record: number,
): { from: number; to: number } {
  const last = Math.ceil(to / record);
  return {
    from: recordStart(Math.floor(from / record), record),
    to: Math.min(recordStart(last, record), sealedSize(size, record) - TRAILER),
  };
}

/** The nonce of record `index`: its number in eleven bytes, the most significant first, and what it is. */
export function nonceOf(index: number, kind: Kind): Uint8Array<ArrayBuffer> {
  const nonce = new Uint8Array(NONCE);
  const view = new DataView(nonce.buffer);
  view.setUint32(3, Math.floor(index / 2 ** 32));
  view.setUint32(7, index % 2 ** 32);
  nonce[NONCE - 1] = KINDS[kind];
  return nonce;
}
