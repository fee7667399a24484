/**
 * What was said and offered in the room, in the order in which it came. Every file and every drop has a signal of its
 * own, so that of thousands of files only those that moved are looked at and drawn again, a few times a second.
 */
import {
  batch,
  computed,
  effect,
  type ReadonlySignal,
  type Signal,
  signal,
  untracked,
} from "@preact/signals";
import type { Drop, Incoming, Message, Outgoing, Room } from "../../sdk";
import { words } from "../words";
import { here, me, nameOf, roomState } from "./here";
import {
  type DropView,
  dropView,
  type FetchView,
  fetchView,
  type TransferView,
  transferView,
  type Viewer,
} from "./views";

export type Entry =
  | { kind: "message"; id: string; at: number; message: Message }
  | { kind: "drop"; id: string; at: number };

interface Followed {
  drop: Drop;
  view: Signal<DropView>;
  transfers: readonly Signal<TransferView>[];
}

/** Milliseconds between two looks at what moves. */
const REFRESH = 200;
/** Milliseconds after which speeds sink while nothing comes. */
const IDLE = 1000;

const list = signal<readonly Entry[]>([]);
const links = signal<readonly FetchView[]>([]);
const unreadable = signal<"nothing" | "something">("nothing");
const turns = signal(0);
const drops = new Map<string, Followed>();
const transfers = new Map<
  string,
  { transfer: Incoming | Outgoing; drop: string; view: Signal<TransferView> }
>();
const moved = new Set<string>();
let refreshing: ReturnType<typeof setTimeout> | undefined;

/** Oldest first. */
export const entries: ReadonlySignal<readonly Entry[]> = list;
/** What the server downloads for this member; newest first. */
export const fetches: ReadonlySignal<readonly FetchView[]> = links;

/** Whether something here is sealed, and the secret for it is not at hand. */
export const locked = computed(() => unreadable.value === "something");
/** Rises whenever something that moves was looked at. */
export const looks: ReadonlySignal<number> = turns;

export function dropSignal(id: string): ReadonlySignal<DropView> | undefined {
  return drops.get(id)?.view;
}

export function transferSignal(id: string): ReadonlySignal<TransferView> | undefined {
  return transfers.get(id)?.view;
}

export function dropOf(id: string): Drop | undefined {
  return drops.get(id)?.drop;
}

/** The drop that the transfer `id` is in. */
export function dropHolding(id: string): Drop | undefined {
  return dropOf(transfers.get(id)?.drop ?? "");
}

export function transferOf(id: string): Incoming | Outgoing | undefined {
  return transfers.get(id)?.transfer;
}

/** All drops as they are shown. */
export function dropViews(): DropView[] {
  return [...drops.values()].map(({ view }) => view.peek());
}

/** All files as they are shown. */
export function transferViews(): TransferView[] {
  return [...transfers.values()].map(({ view }) => view.peek());
}

/** To be called once, as the page begins. */
export function beginTimeline(): void {
  setInterval(() => {
    for (const [id, { view }] of transfers) if (view.peek().moving) moved.add(id);
    flush();
  }, IDLE);
  // Someone who left is called so in the page's language.
  effect(() => {
    words.value;
    untracked(refreshAll);
  });
}

/** Follows what happens in `room`. */
export function followRoom(room: Room): void {
  room.on("message", retell);
  room.on("offered", retell);
  room.on("status", touch);
  room.fetches.on("changed", soon);
}

/** Everything may have changed. */
export function retell(): void {
  const room = here();
  const known = new Set<string>();
  batch(() => {
    for (const drop of room?.drops ?? []) {
      known.add(drop.id);
      if (drops.get(drop.id)?.drop !== drop) take(drop);
    }
    for (const [id, { drop }] of [...drops]) {
      if (known.has(id)) continue;
      for (const one of drop.transfers) transfers.delete(one.id);
      drops.delete(id);
    }
    list.value = entriesOf(room?.messages ?? [], room?.drops ?? []);
    const said: readonly Message[] = room?.messages ?? [];
    const all = [...said, ...(room?.drops ?? [])];
    unreadable.value = all.some(({ seal }) => seal === "locked") ? "something" : "nothing";
    turns.value += 1;
  });
}

/** Looks at all files again: the connection came or went, or someone has another name. */
export function refreshAll(): void {
  for (const id of transfers.keys()) moved.add(id);
  flush();
}

/** `transfer` has changed, and is drawn again soon. */
export function touch({ id }: { id: string }): void {
  moved.add(id);
  soon();
}

/** Messages and drops by the time at which they came. */
export function entriesOf(messages: readonly Message[], drops: readonly Pick<Drop, "id" | "at">[]): Entry[] {
  return [
    ...messages.map((message): Entry => ({ kind: "message", id: message.id, at: message.at, message })),
    ...drops.map(({ id, at }): Entry => ({ kind: "drop", id, at })),
  ].sort((one, other) => one.at - other.at);
}

function take(drop: Drop): void {
  const seen = viewer();
  const views = drop.transfers.map((transfer) => {
    const view = signal(transferView(transfer, seen));
    transfers.set(transfer.id, { transfer, drop: drop.id, view });
    return view;
  });
  const view = signal(
    dropView(
      drop,
      views.map((one) => one.peek()),
    ),
  );
  drops.set(drop.id, { drop, view, transfers: views });
}

function soon(): void {
  refreshing ??= setTimeout(flush, REFRESH);
}

function flush(): void {
  clearTimeout(refreshing);
  refreshing = undefined;
  const seen = viewer();
  const touched = new Set<string>();
  batch(() => {
    for (const id of moved) {
      const known = transfers.get(id);
      if (!known) continue;
      known.view.value = transferView(known.transfer, seen);
      touched.add(known.drop);
    }
    moved.clear();
    for (const id of touched) {
      const known = drops.get(id);
      if (known)
        known.view.value = dropView(
          known.drop,
          known.transfers.map((one) => one.peek()),
        );
    }
    links.value = (here()?.fetches.list ?? []).map(fetchView).reverse();
    turns.value += 1;
  });
}

function viewer(): Viewer {
  return { me: me.peek(), online: roomState.peek() === "joined", nameOf };
}
