/**
 * Whether a file is the one that was offered: by name, size and date, and by a fingerprint of its beginning, middle
 * and end, since other content under the same name is what receivers must never get the rest of.
 */
import { KIB } from "./ChunkSize";
import { blobDigest } from "./digest";
import type { SourceRecord } from "./Records";
import { RoomdropError } from "./RoomdropError";

/** Bytes of each of the three pieces. */
const PIECE = 64 * KIB;

/** Of the three pieces; of all of a small file. Nothing where it can't be computed. */
export function fingerprint(file: Blob): Promise<string | undefined> {
  const { size } = file;
  if (size <= 3 * PIECE) return blobDigest(file);
  const middle = Math.floor((size - PIECE) / 2);
  return blobDigest(
    new Blob([file.slice(0, PIECE), file.slice(middle, middle + PIECE), file.slice(size - PIECE)]),
  );
}

/** Whether it looks so from outside. */
export function looksSame(record: SourceRecord, file: File): boolean {
  return (
    record.name === file.name &&
    record.size === file.size &&
    (record.modified === undefined || record.modified === file.lastModified)
  );
}

/** Whether it is so inside too, as far as that is known. */
export async function isSame(record: SourceRecord, file: File): Promise<boolean> {
  if (!looksSame(record, file)) return false;
  if (!record.fingerprint) return true;
  const now = await fingerprint(file);
  return now === undefined || now === record.fingerprint;
}

export function mismatch(): RoomdropError {
  return new RoomdropError(
    "file_mismatch",
    "This is not the file that was offered: name, size, date and content must be the same. Choose it again, or offer the new one.",
  );
}
