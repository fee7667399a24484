/** The sink for whoever has no wish: memory for small files, the private file system for large ones. */
import { MIB } from "./ChunkSize";
import { memorySink } from "./memorySink";
import { opfsAvailable, opfsSink } from "./opfsSink";
import type { SinkOpener } from "./Sink";

/** Up to this many bytes a file is kept in memory. */
export const SMALL = 16 * MIB;

/**
 * `memoryUpTo`: bytes, default 16 MiB. Without a private file system everything goes to memory: offer
 * `httpDownload()` for large files there.
 */
export function autoSink(options: { digest?: boolean; memoryUpTo?: number } = {}): SinkOpener {
  const { memoryUpTo = SMALL } = options;
  const memory = memorySink(options);
  const opfs = opfsSink(options);
  return {
    kind: "auto",
    open(target) {
      const small = target.size !== null && target.size <= memoryUpTo;
      return small || !opfsAvailable() ? memory.open(target) : opfs.open(target);
    },
    find(target) {
      const small = target.size !== null && target.size <= memoryUpTo;
      return small || !opfsAvailable() ? undefined : opfs.find?.(target);
    },
  };
}
