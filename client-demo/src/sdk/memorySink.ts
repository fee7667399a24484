/** Keeps a file in memory: for small ones, and for browsers without a private file system. */
import { blobDigest } from "./digest";
import type { SinkOpener } from "./Sink";

/** `{ digest: false }` leaves out the check of the whole file's digest. */
export function memorySink(options: { digest?: boolean } = {}): SinkOpener {
  return {
    kind: "memory",
    async open(target) {
      let parts: Uint8Array<ArrayBuffer>[] = [];
      const whole = () => new Blob(parts, { type: target.type });
      return {
        held: 0,
        async write(_offset, bytes) {
          parts.push(bytes as Uint8Array<ArrayBuffer>);
        },
        async finish() {
          return { digest: options.digest === false ? undefined : await blobDigest(whole()) };
        },
        async file() {
          return whole();
        },
        close() {},
        async discard() {
          parts = [];
        },
      };
    },
  };
}
