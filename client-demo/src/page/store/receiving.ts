/**
 * What one does with what others offer: takes it where it fits, refuses it, watches it, saves what has come. What was
 * complete before a reload waits to be asked for; what completes now lands as a download by itself, or all of it as one
 * ZIP where that is many files.
 */
import { type ReadonlySignal, signal } from "@preact/signals";
import {
  type HttpDownload,
  httpDownload,
  type Incoming,
  type Room,
  type SinkChoice,
  sweepOpfs,
} from "../../sdk";
import { sinksFor } from "../hands/disk";
import { isFriend } from "../hands/friends";
import { ready, start, watchUrl, workerDownload, zipUrl } from "../hands/worker";
import { attempt, here, nameOf } from "./here";
import { announce, complain } from "./problems";
import { dropHolding, dropOf, retell, touch, transferOf, transferSignal, transferViews } from "./timeline";
import type { Action, DropAction } from "./views";

/** Files of one drop that land one by one; browsers ask back about more, and one ZIP is less to tidy up. */
const ONE_BY_ONE = 5;
/** Milliseconds for which the address of a saved file lives. */
const SAVE_TIME = 600_000;

const ON_ITS_WAY: ReadonlySet<Incoming["stage"]> = new Set(["asking", "waiting", "receiving"]);

/** Files that are accepted one by one, and downloaded as one. */
const TAKEN_TOGETHER: HttpDownload = { kind: "http", opensSealed: true, start: () => undefined };

/** Milliseconds for which what was received is kept in the browser. */
const SWEEP_AGE = 24 * 3600 * 1000;

const addresses = signal<ReadonlyMap<string, string>>(new Map());

/** What is watched where it stands: the address of each. */
export const watched: ReadonlySignal<ReadonlyMap<string, string>> = addresses;

/** Files on their way, with what they land with. */
const landing = new Map<string, Set<string>>();

/** Sweeps away what was received long ago and never looked at again. To be called once, as the page begins. */
export function beginReceiving(): void {
  void sweepOpfs(SWEEP_AGE).catch(() => undefined);
}

/** Takes what friends offer, and lands what has come. */
export function followArrivals(room: Room): void {
  room.on("offered", (drop) => {
    const incoming = drop.transfers.filter((one) => one.direction === "incoming");
    if (incoming.length === 0) return;
    announce((t) => t.drop.offers(nameOf(drop.from, drop.fromName), incoming.length));
    if (isFriend(room.id, drop.from)) void attempt(() => accept(room, incoming));
  });
  room.on("status", (transfer) => {
    if (transfer.direction === "incoming") void land(transfer).catch(complain);
  });
}

/** Does to `ids` of a drop, or to all that are fit for it, what its buttons ask for. */
export async function actOnDrop(id: string, action: DropAction, ids?: readonly string[]): Promise<void> {
  const drop = dropOf(id);
  if (!drop) return;
  const chosen = ids ? new Set(ids) : undefined;
  const mine = incomingOf(id).filter((one) => chosen?.has(one.id) ?? true);
  await attempt(async (room) => {
    switch (action) {
      case "accept":
        return accept(
          room,
          mine.filter(({ stage }) => stage === "offered"),
        );
      case "reject":
        return room.reject(drop);
      case "save":
        return saveAll(mine.filter(({ kept }) => kept));
      default:
        return room[action](drop.transfers.filter(fitFor(action)));
    }
  });
  retell();
  for (const one of drop.transfers) touch(one);
}

export async function act(id: string, action: Action): Promise<void> {
  const transfer = transferOf(id);
  if (!transfer) return;
  await attempt(async (room) => {
    if (action === "pause" || action === "resume" || action === "cancel") return room[action](transfer);
    if (action === "delete") return room.cancel(transfer);
    if (action === "wake" && transfer.direction === "outgoing") await room.wake(transfer);
    if (transfer.direction === "incoming") await actOnIncoming(room, transfer, action);
  });
  touch(transfer);
}

/** Has the browser save `ids` of a drop straight to disk, without room in this page: one as it is, several as one ZIP. */
export async function saveStraight(id: string, ids: readonly string[]): Promise<void> {
  const chosen = new Set(ids);
  const files = incomingOf(id).filter((one) => chosen.has(one.id));
  await attempt(async (room) => {
    const asOne = files.length > 1 && (await ready());
    await room.accept(files, { sink: asOne ? TAKEN_TOGETHER : workerDownload() });
    if (asOne) start(await zipUrl(files, `${room.id}.zip`));
  });
  for (const one of files) touch(one);
}

/** Ends watching it. */
export function stopWatching(id: string): void {
  const address = addresses.value.get(id);
  if (address?.startsWith("blob:")) URL.revokeObjectURL(address);
  const rest = new Map(addresses.value);
  rest.delete(id);
  addresses.value = rest;
}

async function actOnIncoming(room: Room, incoming: Incoming, action: Action): Promise<void> {
  switch (action) {
    case "play":
      return watch(room, incoming);
    case "accept":
      return accept(room, [incoming]);
    case "download":
      await room.accept(incoming, { sink: workerDownload() });
      return;
    case "reject":
      return room.reject(incoming);
    case "save":
      return save(incoming);
    case "forget":
      return incoming.forget();
    default:
      return;
  }
}

/** Accepts `files`, those that go to the same place with one word. */
async function accept(room: Room, files: readonly Incoming[]): Promise<void> {
  const groups = new Map<string, { sink: SinkChoice; files: Incoming[] }>();
  const sinks = await sinksFor(files, promised());
  for (const [index, one] of files.entries()) {
    const sink = sinks[index] ?? httpDownload();
    const group = groups.get(sink.kind) ?? { sink, files: [] };
    groups.set(sink.kind, group);
    group.files.push(one);
  }
  const together = files.length > ONE_BY_ONE ? new Set(files.map(({ id }) => id)) : undefined;
  for (const { id } of files) landing.set(id, together ?? new Set([id]));
  for (const group of groups.values()) await room.accept(group.files, { sink: group.sink });
}

/** What a file that goes on after a reload lands with: those of its drop that do so too, where they are many. */
function landsWith(id: string): Set<string> {
  const files = dropHolding(id)?.transfers ?? [];
  if (files.length <= ONE_BY_ONE) return new Set([id]);
  const other = files.find((one) => landing.has(one.id));
  return (other && landing.get(other.id))?.add(id) ?? new Set([id]);
}

/** Bytes that files on their way will still take. */
function promised(): number {
  const moving = transferViews().filter((one) => one.direction === "incoming" && one.moving);
  return moving.reduce((sum, { progress: { size, done } }) => sum + Math.max(0, (size ?? done) - done), 0);
}

function incomingOf(drop: string): Incoming[] {
  return (dropOf(drop)?.transfers ?? []).filter((one) => one.direction === "incoming");
}

/** Saves what has just completed, when all that it lands with has. */
async function land(incoming: Incoming): Promise<void> {
  const { id, stage } = incoming;
  if (ON_ITS_WAY.has(stage) && !landing.has(id)) landing.set(id, landsWith(id));
  const together = landing.get(id);
  if (!together || !["complete", "failed", "cancelled", "rejected"].includes(stage)) return;
  landing.delete(id);
  if ([...together].some((other) => landing.get(other) === together)) return;
  const files = [...together].map(transferOf).filter((one): one is Incoming => one?.direction === "incoming");
  const kept = files.filter((one) => one.kept);
  tellOf(kept);
  if (together.size > 1) await saveAll(kept);
  else for (const one of kept) await save(one);
}

function tellOf(files: readonly Incoming[]): void {
  const [first] = files;
  const drop = first && dropHolding(first.id);
  if (!drop) return;
  const from = nameOf(drop.from, drop.fromName);
  announce(({ drop }) =>
    files.length === 1 ? drop.finished(first.name) : drop.finishedMany(files.length, from),
  );
}

async function save(incoming: Incoming): Promise<void> {
  saveBlob(await incoming.file(), incoming.name);
}

async function saveAll(files: readonly Incoming[]): Promise<void> {
  const [first] = files;
  if (!first) return;
  if (files.length === 1) return save(first);
  const name = `${here()?.id ?? "roomdrop"}.zip`;
  if (await ready()) return start(await zipUrl(files, name));
  const { zipped } = await import("./zip");
  saveBlob(await zipped(files), name);
}

function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  httpDownload().start(url, name);
  setTimeout(() => URL.revokeObjectURL(url), SAVE_TIME);
}

/** Shows it where it stands: what is here from here, all else while it comes. */
async function watch(room: Room, incoming: Incoming): Promise<void> {
  if (incoming.kept) show(incoming.id, URL.createObjectURL(await incoming.file()));
  else if (incoming.url) show(incoming.id, await watchUrl(incoming));
  else await room.accept(incoming, { sink: player(incoming) });
}

/** The page's own player as the one that downloads. */
function player(incoming: Incoming): HttpDownload {
  const start = () => void watchUrl(incoming).then((url) => show(incoming.id, url), complain);
  return { kind: "http", opensSealed: true, start };
}

function show(id: string, address: string): void {
  addresses.value = new Map(addresses.value).set(id, address);
}

/** Whether a file of a drop is one that `action` makes sense for, by what its own buttons are. */
function fitFor(action: "pause" | "resume" | "cancel") {
  return ({ id }: { id: string }) => transferSignal(id)?.peek().actions.includes(action) ?? false;
}
