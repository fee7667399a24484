/**
 * One record of a sealed file, sealed and opened by WebCrypto, off the page's thread. It refuses to say anything
 * about what does not open.
 */
import { DIGEST, type Kind, nonceOf } from "./layout";

/** How one file is sealed. */
export interface Sealing {
  /** Plain bytes of a record. */
  readonly record: number;
  /** The file's own key; derived when it is first asked for. Cannot be exported, can be posted to a worker. */
  key(): Promise<CryptoKey>;
}

/** What stands in a trailer: the digest of the whole (`blake3:` and 64 hex digits), where the sender could tell. */
export interface Trailer {
  digest: string | undefined;
}

export function sealRecord(
  key: CryptoKey,
  index: number,
  kind: Kind,
  plain: Uint8Array<ArrayBuffer>,
): Promise<ArrayBuffer> {
  return crypto.subtle.encrypt({ name: "AES-GCM", iv: nonceOf(index, kind) }, key, plain);
}

/** The plain bytes of record `index`; nothing when it is not what was sealed as that. */
export async function openRecord(
  key: CryptoKey,
  index: number,
  kind: Kind,
  sealed: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const iv = nonceOf(index, kind);
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed));
  } catch {
    return undefined;
  }
}

export function sealTrailer(key: CryptoKey, index: number, { digest }: Trailer): Promise<ArrayBuffer> {
  const bytes = digestBytes(digest);
  return sealRecord(key, index, bytes ? "digest" : "plain", bytes ?? new Uint8Array(DIGEST));
}

/** What stands in the trailer at `index`; nothing when it is none. */
export async function openTrailer(
  key: CryptoKey,
  index: number,
  sealed: Uint8Array<ArrayBuffer>,
): Promise<Trailer | undefined> {
  const bytes = await openRecord(key, index, "digest", sealed);
  if (bytes) return { digest: `blake3:${hex(bytes)}` };
  return (await openRecord(key, index, "plain", sealed)) && { digest: undefined };
}

function digestBytes(digest: string | undefined): Uint8Array<ArrayBuffer> | undefined {
  const digits = /^blake3:([0-9a-f]{64})$/.exec(digest ?? "")?.[1];
  return digits === undefined
    ? undefined
    : Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
