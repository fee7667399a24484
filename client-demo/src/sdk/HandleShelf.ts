/**
 * Where file handles are kept across reloads, so that a sender goes on without choosing its files again: IndexedDB,
 * the one storage that takes them. A port, so that tests and other hosts may bring their own. It refuses to fail:
 * a browser that keeps nothing only loses this, and the file is asked for.
 */

/** One handle for each transfer. */
export interface HandleShelf {
  put(handles: ReadonlyMap<string, FileSystemFileHandle>): Promise<void>;
  get(transfers: readonly string[]): Promise<ReadonlyMap<string, FileSystemFileHandle>>;
  remove(transfers: readonly string[]): Promise<void>;
}

interface Kept {
  handle: FileSystemFileHandle;
  /** When it was put, in milliseconds since the Unix epoch. */
  at: number;
}

/** What is older is swept: no server keeps a transfer's tokens for as long. */
const OLDEST = 3 * 24 * 3600 * 1000;

/** IndexedDB; nothing where there is none, as in Node. The package is loaded when the first handle needs it. */
export function browserShelf(): HandleShelf | undefined {
  return typeof indexedDB === "undefined" ? undefined : new BrowserShelf();
}

class BrowserShelf implements HandleShelf {
  #opened: ReturnType<typeof open> | undefined;

  async put(handles: ReadonlyMap<string, FileSystemFileHandle>): Promise<void> {
    const { keyval, store } = await this.#open();
    const at = Date.now();
    const entries = [...handles].map(([transfer, handle]): [string, Kept] => [transfer, { handle, at }]);
    await keyval.setMany(entries, store).catch(() => undefined);
  }

  async get(transfers: readonly string[]): Promise<ReadonlyMap<string, FileSystemFileHandle>> {
    const { keyval, store } = await this.#open();
    const kept = await keyval.getMany<Kept | undefined>([...transfers], store).catch(() => []);
    return new Map(
      transfers.flatMap((transfer, index) => {
        const handle = kept[index]?.handle;
        return handle ? [[transfer, handle] as const] : [];
      }),
    );
  }

  async remove(transfers: readonly string[]): Promise<void> {
    const { keyval, store } = await this.#open();
    await keyval.delMany([...transfers], store).catch(() => undefined);
  }

  #open(): ReturnType<typeof open> {
    this.#opened ??= open();
    return this.#opened;
  }
}

async function open() {
  const keyval = await import("idb-keyval");
  const store = keyval.createStore("roomdrop", "handles");
  const entries = await keyval.entries<string, Kept>(store).catch(() => []);
  const old = entries.flatMap(([transfer, { at }]) => (Date.now() - at > OLDEST ? [transfer] : []));
  await keyval.delMany(old, store).catch(() => undefined);
  return { keyval, store };
}
