/**
 * What the page and its service worker say to each other about files that the worker gives to the browser. The
 * worker keeps nothing: for every request it asks the pages, so it may be ended and started again at any time.
 */

/** Where a file's bytes come from: they were received, or they come from the server, sealed or not. */
export type Origin =
  | { kind: "here"; blob: Blob }
  | { kind: "server"; url: string; sealing?: { key: CryptoKey; record: number } };

export interface FileEntry {
  name: string;
  /** The folder it lies in; empty when there is none. */
  path: string;
  type: string;
  /** Bytes; `null` while not known. */
  size: number | null;
  /** Milliseconds since the Unix epoch. */
  modified: number | undefined;
  origin: Origin;
}

/** What stands behind an address. */
export type Entry = { kind: "file"; file: FileEntry } | { kind: "zip"; files: readonly FileEntry[] };

/** What the worker asks its pages, on a port of its own for the answer: an `Entry`, or `null`. */
export interface EntryAsked {
  ask: string;
}

/** What it tells them, when a file that was to be saved can't end well. */
export interface Broken {
  broken: string;
  code: string;
}

/** What a page asks the worker: to take it over, or whether downloads move, which also keeps the worker awake. */
export type WorkerAsked = "claim" | "moving";

/** Below it, everything is the worker's own: `/sealed/{id}/{name}`. */
export const PREFIX = "/sealed/";

/** The address that shows instead of saving. */
export const INLINE = "inline";

export function addressOf(id: string, name: string): string {
  return `${PREFIX}${encodeURIComponent(id)}/${encodeURIComponent(name)}`;
}

/** Which entry, under which name; nothing when it is no address of the worker's. */
export function atAddress(path: string): { id: string; name: string } | undefined {
  const [id, name, ...more] = path.startsWith(PREFIX) ? path.slice(PREFIX.length).split("/") : [];
  if (!id || name === undefined || more.length > 0) return undefined;
  try {
    return { id: decodeURIComponent(id), name: decodeURIComponent(name) };
  } catch {
    return undefined;
  }
}
