/**
 * What only Node has, behind a door of its own so that browsers' bundles stay free of it: files on disk to offer, and
 * to receive into. It refuses to overwrite: a file that is there already is an error, never lost.
 */
import { openAsBlob } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { IHasher } from "hash-wasm";
import { digestOf, newHasher } from "./hashing";
import { RoomdropError } from "./RoomdropError";
import type { Sink, SinkOpener, SinkTarget } from "./Sink";

/** Bytes read at once where what was held before has to be hashed. */
const STRIDE = 1024 * 1024;

/** The file at `path`, to be offered: it is read as its bytes are asked for, never into memory as a whole. */
export async function fileAt(path: string): Promise<File> {
  const [blob, { mtimeMs }] = await Promise.all([openAsBlob(path), stat(path)]);
  return new File([blob], basename(path), { lastModified: Math.trunc(mtimeMs) });
}

/**
 * Receives into the file at `path`, or where `path` says for each. Until it is whole and checked it is called
 * `….part`, and one that is there already is gone on from. `{ digest: false }` leaves out the check.
 */
export function fileSink(
  path: string | ((target: SinkTarget) => string),
  options: { digest?: boolean } = {},
): SinkOpener {
  return {
    kind: "file",
    async open(target) {
      const place = typeof path === "string" ? path : path(target);
      if (await sizeOf(place)) throw failed(`There is a file at ${place} already; it is not overwritten.`);
      const part = `${place}.part`;
      const held = (await sizeOf(part))?.size ?? 0;
      const handle = await open(part, held > 0 ? "r+" : "w+").catch(rethrow);
      const hasher = options.digest === false ? undefined : await hashed(handle, held);
      return new FileSink(place, handle, held, hasher);
    },
  };
}

/** A name that is safe as a file's on any system, whatever a sender calls it. */
export function safeName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = name.replaceAll(/[\u0000-\u001f\u007f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]/g, "_");
  const cut = plain.replace(/^[. ]+/, "").replace(/[. ]+$/, "");
  const device = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(cut) ? `_${cut}` : cut;
  return device.slice(0, 200) || "file";
}

class FileSink implements Sink {
  #state: "open" | "closed" | "whole" = "open";
  /** Writes follow each other, so that what is held has no gaps. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly place: string,
    private readonly handle: FileHandle,
    readonly held: number,
    private readonly hasher: IHasher | undefined,
  ) {}

  write(offset: number, bytes: Uint8Array): Promise<void> {
    const written = this.#last.then(async () => {
      for (let done = 0; done < bytes.byteLength; ) {
        const rest = bytes.byteLength - done;
        done += (await this.handle.write(bytes, done, rest, offset + done).catch(rethrow)).bytesWritten;
      }
      this.hasher?.update(bytes);
    });
    this.#last = written;
    return written;
  }

  async finish(): Promise<{ digest: string | undefined }> {
    await this.#last;
    await this.handle.sync().catch(rethrow);
    await this.#close();
    await rename(`${this.place}.part`, this.place).catch(rethrow);
    this.#state = "whole";
    return { digest: this.hasher && digestOf(this.hasher) };
  }

  file(): Promise<Blob> {
    return openAsBlob(this.place);
  }

  close(): void {
    void this.#close().catch(() => undefined);
  }

  async discard(): Promise<void> {
    await this.#close().catch(() => undefined);
    await rm(this.#state === "whole" ? this.place : `${this.place}.part`, { force: true });
  }

  async #close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closed";
    await this.#last.catch(() => undefined);
    await this.handle.close();
  }
}

async function sizeOf(path: string): Promise<{ size: number } | undefined> {
  return stat(path).catch(() => undefined);
}

/** A hasher that has seen the `held` bytes that are there. */
async function hashed(handle: FileHandle, held: number): Promise<IHasher> {
  const hasher = await newHasher();
  const piece = new Uint8Array(Math.min(STRIDE, held));
  for (let at = 0; at < held; ) {
    const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, held - at), at).catch(rethrow);
    if (bytesRead === 0) throw failed("What was received before can't be read any more.");
    hasher.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hasher;
}

function rethrow(cause: unknown): never {
  const isFull = ["ENOSPC", "EDQUOT"].includes((cause as { code?: string }).code ?? "");
  if (isFull) throw new RoomdropError("no_space", "The disk is full; free some space.", { cause });
  throw failed("The file could not be written.", cause);
}

function failed(why: string, cause?: unknown): RoomdropError {
  return new RoomdropError("sink_failed", why, { cause });
}
