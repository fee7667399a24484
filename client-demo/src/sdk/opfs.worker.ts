/**
 * The files of `opfsSink`, written synchronously. Bytes are written from the start without gaps, so a file's
 * length is what is safely held, and a page that reloads needs no other book-keeping. The digest is computed
 * along the way; after a reload it catches up from the disk at the end.
 */
import { createBLAKE3, type IHasher } from "hash-wasm";
import { MIB } from "./ChunkSize";
import type { OpfsAsk, OpfsReply } from "./opfs";

interface OpenFile {
  handle: FileSystemSyncAccessHandle;
  hasher: IHasher | undefined;
  /** Bytes the hasher has seen. */
  hashed: number;
}

/** A page that is being left holds its files for a moment longer; that long a new one waits for them. */
const LOCK_TRIES = 50;
const LOCK_PAUSE = 100;
/** Bytes read at once when the digest catches up. */
const STRIDE = 4 * MIB;

const files = new Map<string, OpenFile>();
/** One thing at a time for each file, in the order asked. */
const last = new Map<string, Promise<void>>();

self.onmessage = (event: MessageEvent<{ id: number; what: OpfsAsk }>) => {
  const { id, what } = event.data;
  const key = "file" in what ? what.file : "";
  const turn = (last.get(key) ?? Promise.resolve()).then(async () => {
    const reply = await answer(what).catch((error: unknown) => ({ problem: nameOf(error) }));
    self.postMessage({ id, reply });
  });
  last.set(key, turn);
  void turn.then(() => {
    if (last.get(key) === turn) last.delete(key);
  });
};

async function answer(what: OpfsAsk): Promise<OpfsReply> {
  switch (what.do) {
    case "open":
      return { held: await open(what.directory, what.file, what.hashed) };
    case "write":
      write(opened(what.file), what.offset, what.bytes);
      return {};
    case "finish":
      return { digest: finish(what.file) };
    case "close":
      close(what.file);
      return {};
    case "discard":
      close(what.file);
      await remove(what.directory, what.file);
      return {};
    case "sweep":
      await sweep(what.directory, what.age);
      return {};
  }
}

async function open(directory: string, name: string, hashed: boolean): Promise<number> {
  close(name);
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(directory, {
    create: true,
  });
  const file = await folder.getFileHandle(name, { create: true });
  const handle = await lock(file);
  const hasher = hashed ? await createBLAKE3().catch(() => undefined) : undefined;
  hasher?.init();
  files.set(name, { handle, hasher, hashed: 0 });
  return handle.getSize();
}

async function lock(file: FileSystemFileHandle): Promise<FileSystemSyncAccessHandle> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (nameOf(error) !== "NoModificationAllowedError" || tries >= LOCK_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE));
    }
  }
}

function write(file: OpenFile, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; ) {
    const wrote = file.handle.write(bytes.subarray(done), { at: offset + done });
    if (wrote === 0) throw new DOMException("nothing was written", "QuotaExceededError");
    done += wrote;
  }
  if (file.hasher && file.hashed === offset) {
    file.hasher.update(bytes);
    file.hashed += bytes.byteLength;
  }
}

function finish(name: string): string | undefined {
  const file = opened(name);
  file.handle.flush();
  const { hasher, handle } = file;
  if (hasher) catchUp(file, hasher, handle.getSize());
  close(name);
  return hasher ? `blake3:${hasher.digest("hex")}` : undefined;
}

function catchUp(file: OpenFile, hasher: IHasher, size: number): void {
  const piece = new Uint8Array(file.hashed < size ? STRIDE : 0);
  while (file.hashed < size) {
    const read = file.handle.read(piece, { at: file.hashed });
    if (read === 0) throw new DOMException("the file ends too early", "InvalidStateError");
    hasher.update(piece.subarray(0, read));
    file.hashed += read;
  }
}

function close(name: string): void {
  files.get(name)?.handle.close();
  files.delete(name);
}

async function remove(directory: string, name: string): Promise<void> {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(directory, {
    create: true,
  });
  await folder.removeEntry(name).catch((error: unknown) => {
    if (nameOf(error) !== "NotFoundError") throw error;
  });
}

async function sweep(directory: string, age: number): Promise<void> {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(directory, {
    create: true,
  });
  const oldest = Date.now() - age;
  for await (const [name, entry] of folder.entries()) {
    if (entry.kind !== "file" || files.has(name)) continue;
    const file = await (entry as FileSystemFileHandle).getFile();
    // A file that another tab is writing can't be removed; it is left for the next time.
    if (file.lastModified < oldest) await folder.removeEntry(name).catch(() => undefined);
  }
}

function opened(name: string): OpenFile {
  const file = files.get(name);
  if (!file) throw new DOMException("the file is not open", "InvalidStateError");
  return file;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "Error";
}
