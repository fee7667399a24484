/**
 * What a sealed offer says of its file, as the text that is sealed, and the path that carries it over a wire that
 * knows only names and folders. Pure. It refuses names that could leave a folder: whoever has the secret may still
 * mean harm, and the server cannot look.
 */
import { RoomdropError } from "../RoomdropError";
import { fromBase64, toBase64 } from "./base64";
import { isRecordSize } from "./layout";

/** The media type of everything sealed on the wire. */
export const SEALED_TYPE = "application/vnd.roomdrop.sealed";
/** The name of everything sealed on the wire. */
export const SEALED_NAME = "sealed.bin";

/** Bytes of the salt of a file's key. */
export const SALT = 16;
const NAME_BYTES = 255;
const PATH_BYTES = 4096;
/** At most 200 characters between two slashes of the path. */
const SEGMENTS = /.{1,200}/g;
/** Metadata is as long as a multiple of it, so that its length says little about the name's. */
const PADDING = 64;

export interface Metadata {
  name: string;
  /** The folder; empty when there is none. */
  path: string;
  type: string;
  /** Milliseconds since the Unix epoch. */
  modified: number | undefined;
  /** Bytes; `null` for a live stream. */
  size: number | null;
  salt: Uint8Array<ArrayBuffer>;
  /** Plain bytes of a record. */
  record: number;
}

/** The text to be sealed. */
export function encodeMetadata(metadata: Metadata): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify({ v: 1, ...metadata, salt: toBase64(metadata.salt) });
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil(bytes.length / PADDING) * PADDING).fill(" ".charCodeAt(0));
  padded.set(bytes);
  return padded;
}

/** What `encodeMetadata` was given; nothing when it is not that, or of a later version, or not to be trusted. */
export function decodeMetadata(bytes: Uint8Array): Metadata | undefined {
  try {
    return checked(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}

/** Sealed metadata as a folder path; throws `too_large` when it does not fit. */
export function toPath(sealed: Uint8Array): string {
  const text = toBase64(sealed);
  const path = (text.match(SEGMENTS) ?? []).join("/");
  if (path.length <= PATH_BYTES) return path;
  throw new RoomdropError(
    "too_large",
    "The file's name and folders are too long to be encrypted; shorten them.",
  );
}

export function fromPath(path: string): Uint8Array<ArrayBuffer> | undefined {
  return fromBase64(path.replaceAll("/", ""));
}

function checked(said: Record<string, unknown>): Metadata | undefined {
  const { v, name, path, type, modified, size, record } = said;
  const salt = typeof said.salt === "string" ? fromBase64(said.salt) : undefined;
  if (v !== 1 || salt?.length !== SALT) return undefined;
  if (typeof name !== "string" || !isFileName(name)) return undefined;
  if (typeof path !== "string" || !(path === "" || path.split("/").every(isFileName))) return undefined;
  if (typeof type !== "string" || !isMediaType(type)) return undefined;
  if (modified !== undefined && !isCount(modified)) return undefined;
  if (size !== null && !isCount(size)) return undefined;
  if (typeof record !== "number" || !isRecordSize(record)) return undefined;
  return { name, path, type, modified, size, salt, record };
}

/** The same rule that the server has for names that it can see. */
function isFileName(name: string): boolean {
  const bytes = new TextEncoder().encode(name).length;
  return bytes > 0 && bytes <= NAME_BYTES && name !== "." && name !== ".." && !/[/\\\p{Cc}]/u.test(name);
}

function isMediaType(type: string): boolean {
  return type.length <= NAME_BYTES && /^[\x20-\x7e]+\/[\x20-\x7e]+$/.test(type);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
