/**
 * The page's one store: what is shown, as signals, and what a person may do, as functions. The only place
 * that talks to the SDK; components read signals and call functions.
 */
import { signal } from "@preact/signals";
import {
  autoSink,
  type Connection,
  connect,
  type Drop,
  type HttpDownload,
  httpDownload,
  type Incoming,
  type Message,
  type Offerable,
  type Outgoing,
  opfsAvailable,
  type Presence,
  type Room,
  RoomdropError,
  type RoomState,
  type SinkChoice,
  sweepOpfs,
} from "../../sdk";
import { randomName } from "../roomId";
import { microphone } from "./live";
import { remember, remembered } from "./remember";
import { type Action, type DropView, dropView, type FetchView, fetchView, type Viewer } from "./views";

export type Route = { page: "front" } | { page: "room"; room: string };

export interface Problem {
  id: number;
  words: string;
}

export const route = signal<Route>({ page: "front" });
export const roomState = signal<RoomState>("connecting");
/** Why the server does not let one in, while `refused`. */
export const refusal = signal<RoomdropError | undefined>(undefined);
export const me = signal<string | undefined>(undefined);
export const members = signal<readonly Presence[]>([]);
/** Newest first. */
export const drops = signal<readonly DropView[]>([]);
/** Newest first. */
export const fetches = signal<readonly FetchView[]>([]);
export const messages = signal<readonly Message[]>([]);
export const problems = signal<readonly Problem[]>([]);
export const myName = signal("");
/** What is played where it stands: the address of each transfer's download. */
export const playing = signal<ReadonlyMap<string, string>>(new Map());

/** Milliseconds between two looks at what moves. */
const REFRESH = 200;
/** What was received and never looked at again is swept after a day. */
const SWEEP_AGE = 24 * 3600 * 1000;
/** Without a private file system, larger files are left to the browser's download. */
const MEMORY_LIMIT = 256 * 1000 * 1000;
/** Problems that are shown at once; older ones make room. */
const PROBLEMS_SHOWN = 4;
/** Milliseconds for which the address of a saved file lives. */
const SAVE_TIME = 600_000;
const NAME = "name";

let connection: Connection | undefined;
let room: Room | undefined;
let refreshing: ReturnType<typeof setTimeout> | undefined;
let lastProblem = 0;
/** Everyone who was ever here, since receivers are named after they left. */
const names = new Map<string, string>();
/** Transfers seen on their way, so that what completes is saved once, and not again after a reload. */
const onTheWay = new Set<string>();

/** Reads the address and follows it from now on. */
export function begin(): void {
  myName.value = remembered("browser", NAME) ?? remembered("tab", NAME) ?? randomName();
  remember("tab", NAME, myName.value);
  window.addEventListener("popstate", follow);
  void sweepOpfs(SWEEP_AGE).catch(() => undefined);
  setInterval(refresh, 1000); // speeds sink while nothing comes
  follow();
}

/** Goes to a room's page. */
export function goToRoom(id: string, passphrase = ""): void {
  if (passphrase) remember("tab", passphraseOf(id), passphrase);
  history.pushState(null, "", `/rooms/${encodeURIComponent(id)}`);
  follow();
}

/** Leaves the room, and goes to the front page. */
export function leave(): void {
  history.pushState(null, "", "/");
  follow();
}

/** Calls oneself something else, here and in rooms to come. */
export function rename(name: string): void {
  const given = name.trim().slice(0, 64) || randomName();
  myName.value = given;
  remember("browser", NAME, given);
  room?.enter({ name: given });
}

/** Tries a passphrase after the room was not let into. */
export function tryPassphrase(passphrase: string): void {
  if (!room) return;
  remember("tab", passphraseOf(room.id), passphrase);
  room.enter({ passphrase });
}

export async function say(text: string): Promise<boolean> {
  return attempt(async (here) => here.say(text));
}

/** What goes with an offer. */
export interface Wishes {
  note: string;
  /** Members it is for; none is everyone. */
  to: readonly string[];
  /** Whether the server is to keep a copy. */
  keep: boolean;
}

/** Offers files. */
export async function offer(files: readonly Offerable[], { note, to, keep }: Wishes): Promise<void> {
  if (files.length === 0) return;
  await attempt(async (here) => {
    await here.offer(files, { keep, ...(note ? { note } : {}), ...(to.length > 0 ? { to } : {}) });
  });
}

/** Offers the microphone's sound, live. */
export async function goLive(wishes: Wishes): Promise<void> {
  await attempt(async () => {
    const live = await microphone().catch((error: unknown) => {
      const why = "The microphone cannot be used; allow it in the browser, and try again.";
      throw new RoomdropError("closed", why, { cause: error });
    });
    await offer([live], wishes);
  });
}

/** Has the server download links, each a drop of one's own. */
export async function fetchLinks(urls: readonly string[], keep: boolean): Promise<boolean> {
  return attempt(async (here) => {
    for (const url of urls) here.fetches.start(url, keep ? { keep } : {});
  });
}

/** Ends a download by the server, or takes an ended one off the list. */
export async function endFetch(resource: string): Promise<void> {
  await attempt(async (here) => {
    const fetch = here.fetches.list.find((one) => one.resource === resource);
    if (fetch?.final) here.fetches.forget(fetch);
    else if (fetch) await here.fetches.stop(fetch);
  });
}

/** Files chosen again after a reload. */
export async function supply(files: readonly File[]): Promise<void> {
  await attempt(async (here) => {
    await here.supply(files);
  });
}

/** Accepts or rejects all files of a drop that are not answered yet. */
export async function actOnDrop(id: string, action: "accept" | "reject"): Promise<void> {
  const drop = room?.drops.find((one) => one.id === id);
  if (!drop) return;
  await attempt(async (here) => {
    if (action === "reject") await here.reject(drop);
    else await acceptDrop(here, drop);
  });
}

export async function act(id: string, action: Action): Promise<void> {
  const transfer = room?.drops.flatMap((drop) => drop.transfers).find((one) => one.id === id);
  if (!transfer) return;
  await attempt((here) =>
    transfer.direction === "incoming"
      ? actOnIncoming(here, transfer, action)
      : actOnOutgoing(here, transfer, action),
  );
}

export function dismiss(id: number): void {
  problems.value = problems.value.filter((problem) => problem.id !== id);
}

function follow(): void {
  const id = /^\/rooms\/([^/]+)\/?$/.exec(location.pathname)?.[1];
  route.value = id ? { page: "room", room: decodeURIComponent(id) } : { page: "front" };
  const wanted = route.value.page === "room" ? route.value.room : undefined;
  if (room?.id !== wanted) {
    void room?.leave();
    room = wanted === undefined ? undefined : enter(wanted);
  }
  refresh();
}

function enter(id: string): Room {
  connection ??= connect(location.origin);
  const passphrase = remembered("tab", passphraseOf(id));
  const entered = connection.room(id, { name: myName.value, ...(passphrase ? { passphrase } : {}) });
  const soon = () => {
    refreshing ??= setTimeout(refresh, REFRESH);
  };
  entered.on("state", refresh);
  entered.on("joined", refresh);
  entered.on("left", refresh);
  entered.on("message", refresh);
  entered.on("offered", refresh);
  entered.on("problem", complain);
  entered.fetches.on("changed", soon);
  entered.on("status", (transfer) => {
    if (transfer.direction === "incoming") void keepOrSave(transfer);
    soon();
  });
  return entered;
}

/** Saves what has just completed. What was complete before a reload waits to be asked for. */
async function keepOrSave(incoming: Incoming): Promise<void> {
  if (incoming.stage === "receiving") onTheWay.add(incoming.id);
  if (incoming.stage !== "complete" || !onTheWay.delete(incoming.id) || !incoming.kept) return;
  await save(incoming).catch(complain);
}

async function save(incoming: Incoming): Promise<void> {
  const url = URL.createObjectURL(await incoming.file());
  httpDownload().start(url, incoming.name);
  setTimeout(() => URL.revokeObjectURL(url), SAVE_TIME);
}

async function actOnIncoming(here: Room, incoming: Incoming, action: Action): Promise<void> {
  switch (action) {
    case "play":
      await here.accept(incoming, { sink: player(incoming.id) });
      return;
    case "accept":
      await here.accept(incoming, { sink: await sinkFor(incoming) });
      return;
    case "download":
      await here.accept(incoming, { sink: httpDownload() });
      return;
    case "reject":
      return here.reject(incoming);
    case "pause":
      return here.pause(incoming);
    case "resume":
      return here.resume(incoming);
    case "cancel":
      return here.cancel(incoming);
    case "save":
      return save(incoming);
    case "forget":
      return incoming.forget();
    case "supply":
    case "delete":
      return;
  }
}

async function actOnOutgoing(here: Room, outgoing: Outgoing, action: Action): Promise<void> {
  switch (action) {
    case "pause":
      return here.pause(outgoing);
    case "resume":
      return here.resume(outgoing);
    case "cancel":
    case "delete":
      return here.cancel(outgoing);
    default:
      return;
  }
}

/** The page's own player as the one that downloads. */
function player(id: string): HttpDownload {
  const start = (url: string) => {
    playing.value = new Map(playing.value).set(id, `${url}&inline=1`);
  };
  return { kind: "http", start };
}

/** One word for all of them where one kind of sink suits all, else one by one. */
async function acceptDrop(here: Room, drop: Drop): Promise<void> {
  const open = drop.transfers.filter((one) => one.direction === "incoming" && one.stage === "offered");
  const choices = await Promise.all(open.map((one) => sinkFor(one)));
  const [first] = choices;
  if (first && choices.every((choice) => choice.kind === first.kind)) {
    await here.accept(drop, { sink: first });
    return;
  }
  for (const [index, one] of open.entries()) {
    const sink = choices[index];
    if (one.direction === "incoming" && sink) await here.accept(one, { sink });
  }
}

/** A sink of ours where the file has room in this browser, else the browser's own download. */
async function sinkFor({ size }: { size: number | null }): Promise<SinkChoice> {
  const needed = size ?? Number.POSITIVE_INFINITY;
  if (!opfsAvailable()) return needed > MEMORY_LIMIT ? httpDownload() : autoSink();
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  return needed > quota - usage ? httpDownload() : autoSink();
}

/** Does it, and shows what went wrong; whether it went well. */
async function attempt(what: (here: Room) => Promise<void>): Promise<boolean> {
  if (!room) return false;
  try {
    await what(room);
    return true;
  } catch (error) {
    complain(error);
    return false;
  } finally {
    refresh();
  }
}

function complain(error: unknown): void {
  if (!(error instanceof RoomdropError)) reportError(error);
  const words =
    error instanceof RoomdropError ? error.message : "Something went wrong in this page; reload it.";
  lastProblem += 1;
  const others = problems.value.filter((problem) => problem.words !== words);
  problems.value = [...others, { id: lastProblem, words }].slice(-PROBLEMS_SHOWN);
}

function refresh(): void {
  clearTimeout(refreshing);
  refreshing = undefined;
  roomState.value = room?.state ?? "connecting";
  refusal.value = room?.refusal;
  me.value = room?.me?.id;
  members.value = room?.members ?? [];
  messages.value = room?.messages ?? [];
  for (const { id, name } of members.value) names.set(id, name);
  const viewer: Viewer = {
    me: me.value,
    online: roomState.value === "joined",
    now: Date.now(),
    nameOf: (member) => names.get(member) ?? "Someone who left",
  };
  fetches.value = (room?.fetches.list ?? []).map(fetchView).reverse();
  drops.value = (room?.drops ?? []).map((drop) => dropView(drop, viewer)).reverse();
}

function passphraseOf(id: string): string {
  return `passphrase|${id}`;
}
