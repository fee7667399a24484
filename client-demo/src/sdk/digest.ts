/**
 * BLAKE3 of a blob, in a worker, so that neither the page nor the first byte waits for it. Where workers or
 * WebAssembly are not to be had (a content security policy without `wasm-unsafe-eval`), there is no digest:
 * it is a check on top, never a condition.
 */

interface Reply {
  id: number;
  digest: string | undefined;
}

let worker: Worker | undefined;
let lastId = 0;
const waiting = new Map<number, (digest: string | undefined) => void>();

/** `blake3:` and 64 hex digits, or nothing when it can't be computed. Blobs queue; each is read once. */
export function blobDigest(blob: Blob): Promise<string | undefined> {
  if (typeof Worker === "undefined") return Promise.resolve(undefined);
  worker ??= start();
  lastId += 1;
  const id = lastId;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    worker?.postMessage({ id, blob });
  });
}

function start(): Worker {
  const started = new Worker(new URL("./digest.worker.ts", import.meta.url), { type: "module" });
  started.onmessage = (event: MessageEvent<Reply>) => {
    waiting.get(event.data.id)?.(event.data.digest);
    waiting.delete(event.data.id);
  };
  started.onerror = () => {
    for (const resolve of waiting.values()) resolve(undefined);
    waiting.clear();
    started.terminate();
    if (worker === started) worker = undefined;
  };
  return started;
}
