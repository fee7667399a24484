/**
 * The bytes of one file, or of a part of it, as a stream: from what was received, or from the server, opened on the
 * way where they are sealed. It refuses an answer of the server's that is not the part that was asked for.
 */
import { createBLAKE3 } from "hash-wasm";
import { type Hasher, type OpenOptions, openSealed, RoomdropError, wireRange } from "../../sdk";
import type { FileEntry } from "./entry";

/** Plain bytes from `from` up to, not including, `to`; all when absent. */
export type Range = { from: number; to: number } | undefined;

export async function bytesOf(
  { origin, size }: FileEntry,
  range: Range,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  if (origin.kind === "here") {
    const { blob } = origin;
    return (range ? blob.slice(range.from, range.to) : blob).stream();
  }
  const { url, sealing } = origin;
  if (!sealing) return fetched(url, range, signal);
  const options: OpenOptions = {
    ...sealing,
    size,
    range,
    hasher: range ? undefined : await hasher(),
  };
  return (await fetched(url, wireRange(options), signal)).pipeThrough(openSealed(options));
}

async function fetched(url: string, range: Range, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const headers: Record<string, string> = range ? { range: `bytes=${range.from}-${range.to - 1}` } : {};
  const response = await fetch(url, { headers, signal });
  const begins = response.headers.get("content-range")?.startsWith(`bytes ${range?.from}-`) ?? false;
  if (response.body && (range ? response.status === 206 && begins : response.status === 200)) {
    return response.body;
  }
  await response.body?.cancel();
  throw new RoomdropError("source_failed", "The server does not have it any more, or not this part of it.");
}

/** Nothing where WebAssembly can't be had: then the trailer alone proves that all is there. */
async function hasher(): Promise<Hasher | undefined> {
  const blake3 = await createBLAKE3().catch(() => undefined);
  blake3?.init();
  return (
    blake3 && {
      update: (bytes) => {
        blake3.update(bytes);
      },
      digest: () => `blake3:${blake3.digest("hex")}`,
    }
  );
}
