/**
 * A room in an address: its id in the path, its secret behind the `#`, where no server sees it. Pure, and the only
 * place that knows how the two are written.
 */
import { roomIdIn } from "../roomId";

export interface RoomAddress {
  room: string;
  /** What opens what is sealed there. */
  secret?: string;
}

/** What stands behind the `#`. Whole or not: half a secret has to be refused, and not taken for none. */
export function secretIn(text: string): string | undefined {
  const after = text.trim().replace(/^[^#]*#?/s, "");
  return after === "" ? undefined : after;
}

/** The secret in what a person pasted: a whole link, or the secret alone; nothing if there is none in it. */
export function secretPasted(text: string): string | undefined {
  const secret = text.includes("#") ? secretIn(text) : text.trim();
  return secret !== undefined && /^[A-Za-z0-9_-]{43}$/.test(secret) ? secret : undefined;
}

/** The room in what a person typed or pasted: a code, or a whole link; nothing if there is none. */
export function addressIn(text: string): RoomAddress | undefined {
  const [before = ""] = text.split("#");
  const room = roomIdIn(before);
  if (!room) return undefined;
  const secret = secretIn(text);
  return { room, ...(secret ? { secret } : {}) };
}

/** The room that a page at `path` and `hash` is of. */
export function addressOf({ pathname, hash }: Pick<Location, "pathname" | "hash">): RoomAddress | undefined {
  const room = /^\/rooms\/([A-Za-z0-9_-]{1,64})\/?$/.exec(pathname)?.[1];
  if (!room) return undefined;
  const secret = secretIn(hash);
  return { room, ...(secret ? { secret } : {}) };
}

/** The path, with the secret where there is one. */
export function pathOf({ room, secret }: RoomAddress): string {
  return `/rooms/${encodeURIComponent(room)}${secret ? `#${secret}` : ""}`;
}
