/**
 * The page's side of its service worker: addresses under which the browser itself can save or show a file that only
 * this side can open, and ZIPs of many. It refuses, with a sentence, where there is no worker: on plain http, in some
 * private windows.
 */
import { type HttpDownload, httpDownload, type Incoming, RoomdropError } from "../../sdk";
import {
  addressOf,
  type Broken,
  type Entry,
  type EntryAsked,
  type FileEntry,
  INLINE,
  type WorkerAsked,
} from "../sw/entry";

/** Milliseconds that the worker has to take this page over. */
const PATIENCE = 10_000;
/** Milliseconds between two signs of life while downloads move; browsers end a worker after 30 s without any. */
const AWAKE = 10_000;

const entries = new Map<string, Entry>();
const listeners = new Set<(transfer: string, code: string) => void>();
let registering: Promise<boolean> | undefined;
let waking: ReturnType<typeof setInterval> | undefined;
let lastZip = 0;

/** Whether the worker is there for this page; the first call has it installed. */
export function ready(): Promise<boolean> {
  registering ??= register().catch(() => false);
  return registering;
}

/** The same-origin address of its download. Accept it first, unless it is here. */
export async function downloadUrl(incoming: Incoming): Promise<string> {
  if (!incoming.sealing && !incoming.kept) return urlOf(incoming);
  return addressed(incoming.id, { kind: "file", file: await fileOf(incoming) }, incoming.name);
}

/** The same, to be shown where it stands. */
export async function watchUrl(incoming: Incoming): Promise<string> {
  const url = await downloadUrl(incoming);
  return incoming.sealing || incoming.kept ? `${url}?${INLINE}` : `${url}&inline=1`;
}

/** One ZIP of what was accepted or is here, made on the way; `name` is its file's. */
export async function zipUrl(incomings: readonly Incoming[], name: string): Promise<string> {
  const files = await Promise.all(incomings.map(fileOf));
  lastZip += 1;
  return addressed(`zip-${Date.now()}-${lastZip}`, { kind: "zip", files }, name);
}

/** Begins the download of one of these addresses; the page stays as it is. */
export function start(url: string): void {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = url;
  document.body.append(frame);
  stayAwake();
}

/** A choice for `room.accept`: the browser saves it, opened on the way where it is encrypted. */
export function workerDownload(): HttpDownload {
  return {
    kind: "http",
    opensSealed: true,
    start(url, name, incoming) {
      if (incoming?.sealing)
        void downloadUrl(incoming).then(start, (error: unknown) => broke(incoming.id, error));
      else httpDownload().start(url, name);
    },
  };
}

/** Calls `listener` when a download through the worker broke off, until the function it returns is called. */
export function whenBroken(listener: (transfer: string, code: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function register(): Promise<boolean> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (!container) return false;
  container.addEventListener("message", answer);
  container.startMessages();
  await container.register("/sw.js", { updateViaCache: "none" });
  const { active } = await container.ready;
  if (container.controller) return true;
  return new Promise((resolve) => {
    container.addEventListener("controllerchange", () => resolve(true), { once: true });
    setTimeout(() => resolve(container.controller !== null), PATIENCE);
    // A page that was reloaded past it has none, although it is there.
    active?.postMessage("claim" satisfies WorkerAsked);
  });
}

function answer({ data, ports }: MessageEvent<EntryAsked | Broken>): void {
  if ("ask" in data) ports[0]?.postMessage(entries.get(data.ask) ?? null);
  else if (entries.has(data.broken)) broke(data.broken, data);
}

function broke(transfer: string, error: unknown): void {
  const code = (error as { code?: string } | null)?.code ?? "source_failed";
  for (const listener of listeners) listener(transfer, code);
}

async function addressed(id: string, entry: Entry, name: string): Promise<string> {
  if (!(await ready())) {
    const why = "This browser can't open an encrypted download on its way; receive it here instead.";
    throw new RoomdropError("sealed", why);
  }
  entries.set(id, entry);
  return addressOf(id, name);
}

async function fileOf(incoming: Incoming): Promise<FileEntry> {
  const { name, path, type, size, modified, sealing, kept } = incoming;
  const described = { name, path, type, size, modified };
  if (kept) {
    const blob = await incoming.file();
    return { ...described, size: blob.size, origin: { kind: "here", blob } };
  }
  const url = urlOf(incoming);
  if (!sealing) return { ...described, origin: { kind: "server", url } };
  const { record } = sealing;
  return { ...described, origin: { kind: "server", url, sealing: { record, key: await sealing.key() } } };
}

function urlOf({ url }: Incoming): string {
  if (url) return url;
  throw new RoomdropError("transfer_closed", "It is not accepted; accept it first.");
}

/** A download may outlast the worker's patience with a page that says nothing. */
function stayAwake(): void {
  waking ??= setInterval(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<number>) => {
      if (data > 0) return;
      clearInterval(waking);
      waking = undefined;
    };
    navigator.serviceWorker?.controller?.postMessage("moving" satisfies WorkerAsked, [port2]);
  }, AWAKE);
}
