/** One offer of files, as the application sees it. */
import type { Incoming } from "./Incoming";
import type { Outgoing } from "./Outgoing";
import type { DropId, MemberId } from "./protocol";
import type { Seal } from "./seal/opened";

export class Drop {
  constructor(
    readonly id: DropId,
    /** Who offered it. */
    readonly from: MemberId,
    /** The name that member had then. */
    readonly fromName: string,
    /** Milliseconds since the Unix epoch. */
    readonly at: number,
    /** Whether the server keeps a copy. */
    readonly keep: boolean,
    readonly note: string,
    /** The files, in the order of the offer. All of them go the same way. */
    readonly transfers: readonly (Outgoing | Incoming)[],
  ) {}

  /** Whether its files are encrypted end to end, and can be read here; `locked` if one of them can't. */
  get seal(): Seal {
    const is = (seal: Seal) => this.transfers.some((transfer) => transfer.seal === seal);
    return is("locked") ? "locked" : is("open") ? "open" : "none";
  }
}
