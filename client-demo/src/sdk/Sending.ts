/**
 * What this member sends: offers files, serves them, and finds them again after a reload, when the person
 * has chosen them once more.
 */
import { blobSource } from "./blobSource";
import { FileMemory, type OfferedFile } from "./FileMemory";
import { LiveProducer } from "./LiveProducer";
import { isLive, type LiveFile, LiveSource } from "./LiveSource";
import { Outgoing } from "./Outgoing";
import { Producer } from "./Producer";
import type { Member } from "./protocol";
import type { RoomContext } from "./RoomContext";
import { RoomdropError } from "./RoomdropError";
import { mismatch } from "./sameFile";
import { type Described, noteOf, offerings } from "./seal/offering";
import type { OpenedDrop, OpenedTransfer } from "./seal/opened";
import { sealedSource } from "./seal/sealedSource";
import { sealedStream } from "./seal/sealedStream";

/** What may be offered: a file, one with its folder, or a stream that is live. */
export type Offerable = File | FileInFolder | LiveFile;

/** A file, and the folder to offer it in (`a/b`, without a leading slash). */
export interface FileInFolder {
  file: File;
  path?: string;
  /** What the browser gave with the file; kept, so that a reload goes on without choosing it again. */
  handle?: FileSystemFileHandle | undefined;
  /** A small picture of it, WebP, JPEG or PNG, to be seen before it is accepted: some 4 KiB. */
  preview?: Blob;
}

export interface OfferOptions {
  /** Ids of the members it is for; everyone when absent. */
  to?: readonly string[];
  /** Whether the server is to keep a copy. Default `false`. */
  keep?: boolean;
  /** A word to those who get the offer. */
  note?: string;
  /** Aborted, then or later, the drop is cancelled. */
  signal?: AbortSignal;
}

export class Sending {
  readonly #producers = new Map<string, Producer | LiveProducer>();
  readonly #memory: FileMemory;
  /** Streams that were offered: they are served by whom they were given to, and not after a reload. */
  readonly #streams = new Map<string, { token: string; source: LiveSource }>();
  /** Transfers that the server has all of: it can do without this side. */
  readonly #stored = new Set<string>();
  /** Rises when all ends: what was begun before is not for whoever comes then. */
  #era = 0;
  readonly #context: RoomContext;

  constructor(context: RoomContext) {
    this.#context = context;
    this.#memory = new FileMemory(context.records, context.handles);
  }

  /** Asks the server to offer `files`; what it took, in the form in which others hear of it. */
  async offer(
    files: readonly (FileInFolder | LiveFile)[],
    options: OfferOptions,
    me: Member,
  ): Promise<OpenedDrop> {
    const { link, room } = this.#context;
    const { to, keep = false, note } = options;
    const seal = this.#context.seal();
    const said = note ? { note: await noteOf(note, seal) } : {};
    const offered = await offerings(files.map(describe), seal);
    const taken = await link.ask("drop:offer", {
      room,
      files: offered.map((one) => one.said),
      keep,
      ...(to ? { to: [...to] } : {}),
      ...said,
    });
    const kept: OfferedFile[] = [];
    const transfers = taken.transfers.flatMap(({ transfer, token }, index): OpenedTransfer[] => {
      const [given, known] = [files[index], offered[index]?.known];
      if (!given || !known) return [];
      if (isLive(given)) {
        const stream = known.sealing
          ? sealedStream(given.stream, known.sealing, this.#context.digest)
          : given.stream;
        this.#streams.set(transfer, { token, source: new LiveSource(stream) });
      } else {
        kept.push({ transfer, token, file: given.file, handle: given.handle });
      }
      const copy: Pick<OpenedTransfer, "copy"> = keep ? { copy: { state: "storing" } } : {};
      return [{ ...known, transfer, state: "offered", ...copy }];
    });
    this.#memory.remember(kept);
    const from = { from: me.id, fromName: me.name, at: Date.now() };
    return { room, drop: taken.drop, ...from, keep, note: note ?? null, transfers };
  }

  /** A transfer of this member's as the application sees it; it is served when its file is at hand. */
  transfer(offered: OpenedTransfer): Outgoing {
    const outgoing = new Outgoing(offered);
    // A locked one can't be sealed again as it was.
    const isHere = outgoing.seal !== "locked" && this.#memory.record(outgoing.id);
    if (isHere) outgoing.stage = "missing";
    return outgoing;
  }

  /** Serves `outgoing` from now on, if its file is at hand. */
  serve(outgoing: Outgoing): void {
    const { parties, changed } = this.#context;
    if (outgoing.final || this.#producers.has(outgoing.id)) return;
    const producer = this.#producer(outgoing);
    if (!producer) return;
    this.#producers.set(outgoing.id, producer);
    outgoing.stage = "serving";
    outgoing.error = undefined;
    parties.add(outgoing.id, producer);
    changed(outgoing);
  }

  #producer(outgoing: Outgoing): Producer | LiveProducer | undefined {
    const { parties, digest, changed } = this.#context;
    const common = {
      transfer: outgoing.id,
      link: parties.link,
      openings: parties.openings,
      digest: digest && !outgoing.sealing, // the trailer has it, sealed
      failed: (error: RoomdropError) => {
        // The server may have taken its own copy instead.
        if (outgoing.copy?.state !== "stored") outgoing.error = error;
        this.#end(outgoing);
        changed(outgoing);
      },
    };
    const live = this.#streams.get(outgoing.id);
    if (live) return new LiveProducer({ ...common, ...live });
    const record = this.#memory.record(outgoing.id);
    const file = this.#memory.file(outgoing.id);
    if (!record || !file) return undefined;
    const { sealing } = outgoing;
    const plain = blobSource(file, { digest });
    const source = sealing ? sealedSource(plain, sealing, digest) : plain;
    return new Producer({ ...common, token: record.token, source });
  }

  /** Serves those of `all` that are not at hand from files chosen again; which they were. */
  async supply(all: readonly Outgoing[], files: readonly File[]): Promise<Outgoing[]> {
    const wanted = all.filter(({ stage }) => stage === "missing" || stage === "asleep");
    const era = this.#era;
    let wrong = mismatch();
    const found = await among(wanted, async (outgoing) => {
      const chosen = await this.#memory.choose(outgoing.id, files).catch((error: RoomdropError) => {
        wrong = error;
        return "none" as const;
      });
      return chosen === "found";
    });
    if (found.length === 0 || this.#era !== era) throw wrong;
    for (const outgoing of found) this.serve(outgoing);
    return found;
  }

  /** After a join: what is not at hand, and whose handle is kept, is served again, or waits for a click. */
  async find(all: readonly Outgoing[]): Promise<void> {
    const missing = new Map(all.flatMap((one) => (one.stage === "missing" ? [[one.id, one] as const] : [])));
    const handles = await this.#memory.handles([...missing.keys()]);
    for (const [id, handle] of handles) {
      const outgoing = missing.get(id);
      if (outgoing) void this.#found(outgoing, this.#memory.look(id, handle));
    }
  }

  /** After a click: those of `all` that are asleep go on, unless the browser or the file is against it. */
  async wake(all: readonly Outgoing[]): Promise<Outgoing[]> {
    const asleep = all.filter(({ stage }) => stage === "asleep");
    // Every question is asked before the first answer is waited for: a click allows for no later ones.
    const asked = asleep.map((outgoing) => this.#found(outgoing, this.#memory.wake(outgoing.id)));
    await Promise.all(asked);
    return asleep.filter(({ stage }) => stage === "serving");
  }

  async #found(outgoing: Outgoing, looking: Promise<"found" | "asleep">): Promise<void> {
    const { stage: before } = outgoing;
    const era = this.#era;
    const isVoid = () => outgoing.stage !== before || this.#era !== era;
    try {
      const found = await looking;
      // Meanwhile it may have been supplied, or have ended.
      if (isVoid()) return;
      if (found === "found") return this.serve(outgoing);
      outgoing.stage = "asleep";
    } catch (error) {
      if (isVoid()) return;
      outgoing.stage = "missing";
      outgoing.error = RoomdropError.from(error, "file_changed", "The file can't be read; choose it again.");
    }
    this.#context.changed(outgoing);
  }

  /** After a status: what is over is served no more. */
  settle(outgoing: Outgoing): void {
    if (outgoing.copy?.state === "stored") this.#stored.add(outgoing.id);
    else this.#stored.delete(outgoing.id);
    const streamed = outgoing.state === "complete" || outgoing.copy?.state === "stored";
    const isOver = outgoing.final || (streamed && this.#streams.has(outgoing.id));
    if (isOver && outgoing.stage !== "ended") this.#end(outgoing);
  }

  close(): void {
    const { parties } = this.#context;
    this.#era += 1;
    for (const [id, producer] of this.#producers) {
      producer.close();
      parties.remove(id);
      // The link may stay, for other rooms: without a word the server would go on asking.
      if (this.#stored.has(id)) parties.link.tell("source:fail", { transfer: id, reason: "gone" });
    }
    this.#producers.clear();
    this.#stored.clear();
  }

  #end(outgoing: Outgoing): void {
    outgoing.stage = "ended";
    this.#producers.get(outgoing.id)?.close();
    this.#producers.delete(outgoing.id);
    this.#streams.delete(outgoing.id);
    this.#stored.delete(outgoing.id);
    this.#context.parties.remove(outgoing.id);
    this.#memory.forget(outgoing.id);
  }
}

/** Files as a person gave them, each with its folder: one's own, or the one the browser knows. */
export function inFolders(files: readonly Offerable[]): (FileInFolder | LiveFile)[] {
  return files.map((given) => {
    if (!(given instanceof File)) return given;
    const path = given.webkitRelativePath?.split("/").slice(0, -1).join("/");
    return path ? { file: given, path } : { file: given };
  });
}

function describe(given: FileInFolder | LiveFile): Described {
  if (isLive(given)) {
    const { name, type = "", path } = given;
    return { name, size: null, type, ...(path ? { path } : {}) };
  }
  const { file, path, preview } = given;
  return {
    name: file.name,
    size: file.size,
    type: file.type,
    modified: file.lastModified,
    ...(path ? { path } : {}),
    ...(preview ? { picture: preview } : {}),
  };
}

/** Those of `all` for which `is` says so. */
async function among<T>(all: readonly T[], is: (one: T) => Promise<boolean>): Promise<T[]> {
  const said = await Promise.all(all.map(is));
  return all.filter((_, index) => said[index]);
}
