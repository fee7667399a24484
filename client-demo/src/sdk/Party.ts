/**
 * One side of one transfer on the link `/transfers`, producer or consumer, as `Parties` sees it.
 */
import type { Chunk, End, Pull, Status, Stop } from "./protocol";

export interface Party {
  /** The link came up, for the first time or again: open with the token. */
  linkUp(): void;
  /** The link went down: whatever was under way is void. */
  linkDown(): void;
  pull?(pull: Pull): void;
  stop?(stop: Stop): void;
  chunk?(chunk: Chunk, bytes: Uint8Array): void;
  end?(end: End): void;
  status?(status: Status): void;
}
