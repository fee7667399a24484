/**
 * Where received bytes go, decided by what this browser can do and has room for: memory for small files, the
 * private file system for large ones, else the browser's own download. It is decided before anything is
 * accepted, so that a full disk is a sentence and not a broken transfer.
 */
import { autoSink, type Incoming, opfsAvailable, RoomdropError, type SinkChoice } from "../../sdk";
import { ready, workerDownload } from "./worker";

/** What a decision goes by. */
export interface Place {
  /** Bytes that may still be stored by this page; unknown is `Infinity`. */
  free: number;
  /** Whether there is a private file system. */
  opfs: boolean;
  /** Whether the service worker can give the browser's download a sealed file, opened on the way. */
  worker: boolean;
}

/** What is to be stored. */
export interface Needed {
  /** Bytes; `null` while not known. */
  size: number | null;
  /** Whether it is opened on this side, so that the server's own download would be of no use. */
  sealed: boolean;
}

/** `memory` and `opfs` are sinks of ours; `http` and `worker` the browser's download; `nothing` fits nowhere. */
export type Plan = "memory" | "opfs" | "http" | "worker" | "nothing";

/** Up to this many bytes a file goes to memory; the SDK's own measure. */
export const SMALL = 16 * 1024 * 1024;
/** Without a private file system, files up to here go to memory where nothing else can take them. */
const MEMORY_LIMIT = 256 * 1024 * 1024;
/** What stays free, so that the page does not take a disk's last byte. */
const SPARE = 16 * 1024 * 1024;
/** From here on the browser is asked not to clear what is being stored. */
const LARGE = 100 * 1024 * 1024;

export async function roomOnDisk(bytes: number): Promise<{ fits: boolean; free: number }> {
  const free = await freeSpace();
  return { fits: bytes + SPARE <= free, free };
}

/**
 * The sinks for several files, in their order, with one look at the disk. `promised` bytes are those that other
 * transfers on their way will still take. Rejects with `no_space` when one of them fits nowhere.
 */
export async function sinksFor(incomings: readonly Incoming[], promised = 0): Promise<SinkChoice[]> {
  const needs = incomings.map(({ size, seal }) => ({ size, sealed: seal !== "none" }));
  const place = { free: (await freeSpace()) - promised, opfs: opfsAvailable() };
  // The worker is called for only where something is to go through it.
  let plans = plansFor(needs, { ...place, worker: true });
  if (plans.includes("worker") && !(await ready())) plans = plansFor(needs, { ...place, worker: false });
  if (plans.includes("nothing")) {
    const why = "There is no room for it in this browser; free some space on this device, and try again.";
    throw new RoomdropError("no_space", why);
  }
  if (needs.some(({ size }, index) => plans[index] === "opfs" && (size ?? LARGE) >= LARGE)) keepStored();
  return plans.map(choiceOf);
}

/** A plan for each, as if those before it were stored already. */
export function plansFor(needs: readonly Needed[], place: Place): Plan[] {
  let free = place.free - SPARE;
  return needs.map((need) => {
    const plan = planFor(need, { ...place, free });
    if (plan === "opfs") free -= need.size ?? 0;
    return plan;
  });
}

function planFor({ size, sealed }: Needed, { free, opfs, worker }: Place): Plan {
  if (size !== null && size <= SMALL) return "memory";
  if (opfs && (size === null ? sealed && !worker : size <= free)) return "opfs";
  if (!sealed) return size !== null && !opfs && size <= MEMORY_LIMIT ? "memory" : "http";
  if (worker) return "worker";
  return size !== null && size <= MEMORY_LIMIT ? "memory" : "nothing";
}

/** Asks the browser not to clear it by itself when the disk runs full; it may say no. */
function keepStored(): void {
  void navigator.storage.persist?.().catch(() => false);
}

async function freeSpace(): Promise<number> {
  try {
    const { quota, usage = 0 } = await navigator.storage.estimate();
    return quota === undefined ? Number.POSITIVE_INFINITY : quota - usage;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Memory and disk are one sink, which decides by the same measure: after a reload it is found again by its kind. The
 * worker's download is the browser's own where nothing has to be opened.
 */
function choiceOf(plan: Plan): SinkChoice {
  return plan === "memory" || plan === "opfs" ? autoSink() : workerDownload();
}
