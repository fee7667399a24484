/**
 * The rooms one was in, newest first, so that one click goes back. The room's secret is kept with it, in this
 * browser alone: without it there would be no way back into what was sealed. Forgetting a room removes both.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { onRemembered, rememberedList, rememberList } from "./memory";

export interface RecentRoom {
  room: string;
  /** What opens what was sealed there. */
  secret?: string;
  /** When one was last there; milliseconds since the Unix epoch. */
  at: number;
}

/** As many as a person looks through. */
export const MOST_ROOMS = 12;
const KEY = "rooms";

const rooms = signal<readonly RecentRoom[]>([]);

export const recentRooms: ReadonlySignal<readonly RecentRoom[]> = computed(() => rooms.value);

/** Reads what is remembered, and follows what other tabs do. To be called once, as the page begins. */
export function beginRecent(): void {
  read();
  onRemembered(KEY, read);
}

export function visited(room: string, secret?: string, at = Date.now()): void {
  change((list) => withRoom(list, { room, ...(secret ? { secret } : {}), at }));
}

export function forgetRoom(room: string): void {
  change((list) => list.filter((one) => one.room !== room));
}

/** `list` with `visit` first. A visit without a secret does not lose the one that is known. */
export function withRoom(list: readonly RecentRoom[], visit: RecentRoom): RecentRoom[] {
  const secret = visit.secret ?? list.find(({ room }) => room === visit.room)?.secret;
  const others = list.filter(({ room }) => room !== visit.room);
  return [{ ...visit, ...(secret ? { secret } : {}) }, ...others].slice(0, MOST_ROOMS);
}

/** A remembered room, if it is one. */
export function readRoom({ room, secret, at }: Record<string, unknown>): RecentRoom | undefined {
  if (typeof room !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(room)) return undefined;
  if (typeof at !== "number" || !Number.isFinite(at)) return undefined;
  const known = typeof secret === "string" && /^[A-Za-z0-9_-]{1,128}$/.test(secret);
  return { room, ...(known ? { secret } : {}), at };
}

function read(): void {
  rooms.value = rememberedList(KEY, MOST_ROOMS, readRoom);
}

/** Another tab may have changed it meanwhile, so it is read first. */
function change(how: (list: readonly RecentRoom[]) => RecentRoom[]): void {
  const before = rememberedList(KEY, MOST_ROOMS, readRoom);
  // Where nothing can be remembered, this page still knows what it did.
  rooms.value = how(before.length > 0 ? before : rooms.value);
  rememberList(KEY, rooms.value);
}
