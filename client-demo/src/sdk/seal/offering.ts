/**
 * What is said of files when they are offered: as they are, or, with the room's secret, sealed. It refuses to say a
 * word about a sealed file beside its size; a preview that is too large is left out, since nothing depends on it.
 */
import type { FileOffer } from "../protocol";
import { RoomdropError } from "../RoomdropError";
import { toBase64 } from "./base64";
import { recordFor, sealedSize } from "./layout";
import { encodeMetadata, SALT, SEALED_NAME, SEALED_TYPE, toPath } from "./metadata";
import { type OpenedTransfer, sealingOf, sealText } from "./opened";
import type { RoomSeal } from "./RoomSeal";

/** A file to be offered. */
export interface Described {
  name: string;
  path?: string;
  type: string;
  /** Milliseconds since the Unix epoch. */
  modified?: number;
  /** Bytes; `null` for a live stream. */
  size: number | null;
  /** A small picture of it. */
  picture?: Blob;
}

/** What is said of a file, and what this side knows of it. */
export interface Offering {
  said: FileOffer;
  known: Pick<OpenedTransfer, "seal" | "sealing"> & Described;
}

/** Characters of a note, at most, by the protocol. */
const NOTE = 2000;
/** Characters of a preview, and of all of an offer, at most, by the protocol. */
const PREVIEW = 8192;
const PREVIEWS = 65_536;
/** Files that are sealed at once: what is done of them between two answers of WebCrypto is to stay short. */
const BATCH = 32;

export async function offerings(
  files: readonly Described[],
  seal: RoomSeal | undefined,
): Promise<Offering[]> {
  const all: Offering[] = [];
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH).map((file) => (seal ? sealed(file, seal) : open(file)));
    all.push(...(await Promise.all(batch)));
  }
  return withinLimits(all);
}

/** A note as it is said; throws `too_large`. */
export async function noteOf(note: string, seal: RoomSeal | undefined): Promise<string> {
  const said = seal ? await sealText(note, "note", seal) : note;
  if ([...said].length <= NOTE) return said;
  throw new RoomdropError("too_large", "The note is too long; shorten it, or say it as a message.");
}

async function open(file: Described): Promise<Offering> {
  const { picture, ...said } = file;
  const preview = picture && toBase64(await bytesOf(picture));
  return { said: { ...said, ...(preview ? { preview } : {}) }, known: { ...file, seal: "none" } };
}

async function sealed(file: Described, seal: RoomSeal): Promise<Offering> {
  const { name, path = "", type, modified, size, picture } = file;
  const salt = crypto.getRandomValues(new Uint8Array(SALT));
  const record = recordFor(type, size);
  const metadata = { name, path, type: type || "application/octet-stream", modified, size, salt, record };
  const said: FileOffer = {
    name: SEALED_NAME,
    type: SEALED_TYPE,
    path: toPath(await seal.seal("metadata", encodeMetadata(metadata))),
    size: size === null ? null : sealedSize(size, record),
  };
  const preview = picture && (await seal.seal("preview", await bytesOf(picture), toBase64(salt)));
  return {
    said: preview ? { ...said, preview: toBase64(preview) } : said,
    known: { ...file, seal: "open", sealing: sealingOf(salt, record, seal) },
  };
}

function withinLimits(all: readonly Offering[]): Offering[] {
  let left = PREVIEWS;
  return all.map(({ said: { preview, ...said }, known }) => {
    const length = preview?.length ?? 0;
    if (preview === undefined || length > Math.min(PREVIEW, left)) return { said, known };
    left -= length;
    return { said: { ...said, preview }, known };
  });
}

async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}
