/** What a room tells, and who one is in it. Types alone. */
import type { Drop } from "./Drop";
import type { Incoming } from "./Incoming";
import type { Outgoing } from "./Outgoing";
import type { Member } from "./protocol";
import type { RoomdropError } from "./RoomdropError";
import type { Message } from "./seal/opened";

/**
 * - `connecting`: not joined yet.
 * - `joined`: in the room.
 * - `offline`: the link is lost; it comes back by itself.
 * - `refused`: the server does not let this member in; `room.refusal` says why.
 * - `left`: over.
 */
export type RoomState = "connecting" | "joined" | "offline" | "refused" | "left";

export interface RoomEvents {
  /** The state changed. At `joined`, everything else may have changed with it. */
  state: RoomState;
  /** Someone came. */
  joined: Member;
  /** Someone is gone. */
  left: Member;
  message: Message;
  /** Files were offered, by this member too. */
  offered: Drop;
  /** Something about this transfer changed: state, progress, receivers. Often; at every piece of progress. */
  status: Incoming | Outgoing;
  /** Something failed that no call is waiting for. */
  problem: RoomdropError;
}

export interface EachOptions {
  signal?: AbortSignal;
  /** Events that may wait to be taken. Default 10,000. */
  limit?: number;
}

export interface Who {
  /** The name to show to others. */
  name?: string;
  /** The key of an earlier join, to be the same member again; remembered by itself for a reload. */
  key?: string;
  /** What opens the room; the first member's becomes the room's. */
  passphrase?: string;
  /**
   * The room's secret (`makeSecret`), from the fragment of its link: what is offered and said is encrypted with it. It
   * never leaves this side. Default: none, and nothing is encrypted.
   */
  secret?: string;
}
