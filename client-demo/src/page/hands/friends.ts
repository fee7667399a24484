/**
 * Whose offers are accepted by themselves. A friend is a member of one room: a member's id is tied to a key
 * that only that member and the server know, while names can be had by anyone, so it refuses to go by names.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { onRemembered, rememberedList, rememberList } from "./memory";

export interface Friend {
  room: string;
  /** The member's id. */
  member: string;
}

/** The oldest make room. */
export const MOST_FRIENDS = 200;
const KEY = "friends";

const list = signal<readonly Friend[]>([]);

export const friends: ReadonlySignal<readonly Friend[]> = computed(() => list.value);

/** Reads what is remembered, and follows what other tabs do. To be called once, as the page begins. */
export function beginFriends(): void {
  read();
  onRemembered(KEY, read);
}

export function isFriend(room: string, member: string): boolean {
  return list.value.some((one) => one.room === room && one.member === member);
}

export function befriend(room: string, member: string): void {
  change((before) => withFriend(before, { room, member }));
}

export function unfriend(room: string, member: string): void {
  change((before) => before.filter((one) => one.room !== room || one.member !== member));
}

/** `friends` with `friend` first. */
export function withFriend(friends: readonly Friend[], friend: Friend): Friend[] {
  const others = friends.filter((one) => one.room !== friend.room || one.member !== friend.member);
  return [friend, ...others].slice(0, MOST_FRIENDS);
}

/** A remembered friend, if it is one. */
export function readFriend({ room, member }: Record<string, unknown>): Friend | undefined {
  const isId = (id: unknown): id is string => typeof id === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(id);
  return isId(room) && isId(member) ? { room, member } : undefined;
}

function read(): void {
  list.value = rememberedList(KEY, MOST_FRIENDS, readFriend);
}

/** Another tab may have changed it meanwhile, so it is read first. */
function change(how: (before: readonly Friend[]) => Friend[]): void {
  const before = rememberedList(KEY, MOST_FRIENDS, readFriend);
  // Where nothing can be remembered, this page still knows what it did.
  list.value = how(before.length > 0 ? before : list.value);
  rememberList(KEY, list.value);
}
