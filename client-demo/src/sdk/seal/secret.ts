/**
 * The room's secret: 32 random bytes that stand in the fragment of the room's link, which browsers never send. It
 * refuses to make do with half of one, as a link has that was cut off on its way.
 */
import { RoomdropError } from "../RoomdropError";
import { fromBase64, toBase64 } from "./base64";

const SECRET = 32;
/** Characters of a secret in base64. */
const CHARACTERS = 43;

/** A new room's secret: 43 characters, for the link as `#<secret>`. */
export function makeSecret(): string {
  return toBase64(crypto.getRandomValues(new Uint8Array(SECRET)));
}

/** Whether this browser can encrypt: it can on https, and on this machine. */
export function canSeal(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

/** The bytes of `secret`; throws `bad_secret`. */
export function secretBytes(secret: string): Uint8Array<ArrayBuffer> {
  const bytes = secret.length === CHARACTERS ? fromBase64(secret) : undefined;
  if (bytes?.length === SECRET) return bytes;
  throw new RoomdropError("bad_secret", "The key in this link is not whole; ask for the whole link again.");
}
