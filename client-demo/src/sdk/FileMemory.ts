/**
 * Which file each of this member's transfers is, in this page and after a reload: a record for each at once, its
 * fingerprint and its handle in the background. It refuses to make an offer wait for what only a reload needs.
 */
import type { HandleShelf } from "./HandleShelf";
import type { Records, SourceRecord } from "./Records";
import { RoomdropError } from "./RoomdropError";
import { fingerprint, isSame, looksSame, mismatch } from "./sameFile";

/** A file that was offered just now. */
export interface OfferedFile {
  transfer: string;
  token: string;
  file: File;
  handle?: FileSystemFileHandle | undefined;
}

export class FileMemory {
  /** The files at hand, by transfer. */
  readonly #files = new Map<string, File>();
  /** Handles whose file the browser gives only after a click, by transfer. */
  readonly #asleep = new Map<string, FileSystemFileHandle>();
  #forgotten: string[] = [];

  constructor(
    private readonly records: Records,
    private readonly shelf: HandleShelf | undefined,
  ) {}

  /** They are offered, and to be found again. */
  remember(offered: readonly OfferedFile[]): void {
    for (const { transfer, token, file, handle } of offered) {
      const { name, size, lastModified: modified } = file;
      const kept = handle && this.shelf ? { handle: true } : {};
      this.records.set("source", transfer, { token, name, size, modified, ...kept });
      this.#files.set(transfer, file);
    }
    const handles = offered.flatMap(({ transfer, handle }) => (handle ? [[transfer, handle] as const] : []));
    if (handles.length > 0) void this.shelf?.put(new Map(handles)).catch(() => undefined);
    if (this.records.lasting) void this.#fingerprint(offered);
  }

  /** What is known of it; nothing when it was not offered from here. */
  record(transfer: string): SourceRecord | undefined {
    return this.records.get("source", transfer);
  }

  /** The file, while it is at hand. */
  file(transfer: string): File | undefined {
    return this.#files.get(transfer);
  }

  /** Takes the one of `files` that was offered as `transfer`. Rejects when one only looks like it. */
  async choose(transfer: string, files: readonly File[]): Promise<"found" | "none"> {
    const record = this.record(transfer);
    const alike = record ? files.filter((file) => looksSame(record, file)) : [];
    for (const file of alike) {
      if (record && (await isSame(record, file))) {
        this.#files.set(transfer, file);
        return "found";
      }
    }
    if (alike.length > 0) throw mismatch();
    return "none";
  }

  /** Those of `transfers` whose handle is kept, each with it; one look for all. */
  async handles(transfers: readonly string[]): Promise<ReadonlyMap<string, FileSystemFileHandle>> {
    const kept = transfers.filter((transfer) => this.record(transfer)?.handle);
    if (kept.length === 0 || !this.shelf) return new Map();
    return this.shelf.get(kept).catch(() => new Map());
  }

  /**
   * Reads the file that `handle` stands for, if the browser lets that be done now: `asleep` is one that it has to
   * ask the person about first. Rejects when it is refused, gone, or another file by now.
   */
  async look(transfer: string, handle: FileSystemFileHandle): Promise<"found" | "asleep"> {
    const may = await permission(handle, "query");
    if (may === "prompt") {
      this.#asleep.set(transfer, handle);
      return "asleep";
    }
    return this.#read(transfer, handle, may);
  }

  /** The same after a click: the browser asks. To be called before anything is awaited. */
  async wake(transfer: string): Promise<"found"> {
    const handle = this.#asleep.get(transfer);
    if (!handle)
      throw new RoomdropError("file_changed", "The file is not at hand any more; choose it again.");
    const may = await permission(handle, "request");
    this.#asleep.delete(transfer);
    return this.#read(transfer, handle, may);
  }

  /** It is over. */
  forget(transfer: string): void {
    this.#files.delete(transfer);
    this.#asleep.delete(transfer);
    const isKept = this.record(transfer)?.handle;
    this.records.remove("source", transfer);
    if (!isKept) return;
    this.#forgotten.push(transfer);
    if (this.#forgotten.length > 1) return;
    queueMicrotask(() => {
      void this.shelf?.remove(this.#forgotten.splice(0)).catch(() => undefined);
    });
  }

  async #read(transfer: string, handle: FileSystemFileHandle, may: PermissionState): Promise<"found"> {
    if (may !== "granted") {
      throw new RoomdropError("file_refused", "The browser may not read the file; choose it again.");
    }
    const file = await handle.getFile().catch((cause: unknown) => {
      const why = "The file is not where it was; choose it again, or offer it anew.";
      throw new RoomdropError("file_changed", why, { cause });
    });
    const record = this.record(transfer);
    if (!record || !(await isSame(record, file))) throw mismatch();
    this.#files.set(transfer, file);
    return "found";
  }

  async #fingerprint(offered: readonly OfferedFile[]): Promise<void> {
    for (const { transfer, file } of offered) {
      const print = await fingerprint(file).catch(() => undefined);
      const record = this.record(transfer);
      if (print && record) this.records.set("source", transfer, { ...record, fingerprint: print });
    }
  }
}

/** Not every browser that gives handles asks about them: then they may be read. */
async function permission(handle: FileSystemFileHandle, how: "query" | "request"): Promise<PermissionState> {
  const ask = how === "query" ? handle.queryPermission : handle.requestPermission;
  if (!ask) return "granted";
  // A refusal to ask (no click before it) is one to read.
  return ask.call(handle, { mode: "read" }).catch(() => "denied" as const);
}
