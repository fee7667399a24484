/**
 * Keeps a file in the origin-private file system: any size the browser has room for, and what is written
 * survives a reload, so a transfer goes on from what is on disk. All file work happens in one worker, since
 * only a worker may write synchronously. Names in it are transfer ids, never the sender's.
 */
import type { OpfsAsk, OpfsReply } from "./opfs";
import { RoomdropError } from "./RoomdropError";
import type { Sink, SinkOpener, SinkTarget } from "./Sink";

/** The directory that holds what roomdrop received. */
const DIRECTORY = "roomdrop";

/** Whether there is a private file system: a secure context (https, or this machine) and a recent browser. */
export function opfsAvailable(): boolean {
  return typeof Worker !== "undefined" && typeof navigator?.storage?.getDirectory === "function";
}

/** `{ digest: false }` leaves out the check of the whole file's digest. */
export function opfsSink(options: { digest?: boolean } = {}): SinkOpener {
  return {
    kind: "opfs",
    async open(target) {
      if (!opfsAvailable()) {
        throw new RoomdropError("no_opfs", "This browser can't store the file here; download it instead.");
      }
      const hashed = options.digest !== false;
      const { held } = await ask({ do: "open", directory: DIRECTORY, file: target.transfer, hashed });
      return new OpfsSink(target, held ?? 0);
    },
    find: (target) => new OpfsSink(target, target.size ?? 0),
  };
}

/** Removes what was received more than `age` milliseconds ago and was never asked for again. */
export async function sweepOpfs(age: number): Promise<void> {
  if (opfsAvailable()) await ask({ do: "sweep", directory: DIRECTORY, age });
}

class OpfsSink implements Sink {
  constructor(
    private readonly target: SinkTarget,
    readonly held: number,
  ) {}

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await ask({ do: "write", file: this.target.transfer, offset, bytes }, [bytes.buffer as ArrayBuffer]);
  }

  async finish(): Promise<{ digest: string | undefined }> {
    const { digest } = await ask({ do: "finish", file: this.target.transfer });
    return { digest };
  }

  async file(): Promise<Blob> {
    const root = await navigator.storage.getDirectory();
    const directory = await root.getDirectoryHandle(DIRECTORY);
    return (await directory.getFileHandle(this.target.transfer)).getFile();
  }

  close(): void {
    void ask({ do: "close", file: this.target.transfer }).catch(() => undefined);
  }

  async discard(): Promise<void> {
    await ask({ do: "discard", directory: DIRECTORY, file: this.target.transfer });
  }
}

let worker: Worker | undefined;
let lastId = 0;
const waiting = new Map<number, { resolve: (reply: OpfsReply) => void; reject: (error: Error) => void }>();

function ask(what: OpfsAsk, transfer: Transferable[] = []): Promise<OpfsReply> {
  worker ??= start();
  lastId += 1;
  const id = lastId;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker?.postMessage({ id, what }, transfer);
  });
}

function start(): Worker {
  const started = new Worker(new URL("./opfs.worker.ts", import.meta.url), { type: "module" });
  started.onmessage = (event: MessageEvent<{ id: number; reply: OpfsReply }>) => {
    const { id, reply } = event.data;
    const call = waiting.get(id);
    waiting.delete(id);
    if (reply.problem) call?.reject(failure(reply.problem));
    else call?.resolve(reply);
  };
  started.onerror = () => {
    for (const call of waiting.values()) call.reject(failure("worker"));
    waiting.clear();
    started.terminate();
    if (worker === started) worker = undefined;
  };
  return started;
}

function failure(problem: string): RoomdropError {
  if (problem === "QuotaExceededError") {
    return new RoomdropError("no_space", "There is no room left to store the file here; free some space.");
  }
  if (problem === "NoModificationAllowedError") {
    return new RoomdropError("sink_failed", "The file is being received in another tab of this browser.");
  }
  return new RoomdropError(
    "sink_failed",
    "The file could not be stored in this browser; download it instead.",
  );
}
