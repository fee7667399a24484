/** What the parts of a room share. */
import type { HandleShelf } from "./HandleShelf";
import type { Incoming } from "./Incoming";
import type { Link } from "./Link";
import type { Outgoing } from "./Outgoing";
import type { Parties } from "./Parties";
import type { Records } from "./Records";
import type { RoomdropError } from "./RoomdropError";
import type { SinkOpener } from "./Sink";
import type { RoomSeal } from "./seal/RoomSeal";

export interface RoomContext {
  /** The room's id. */
  readonly room: string;
  /** `/rooms`. */
  readonly link: Link;
  /** `/transfers`. */
  readonly parties: Parties;
  readonly records: Records;
  /** Where file handles are kept across reloads; nothing where they can't be. */
  readonly handles: HandleShelf | undefined;
  /** The openers by which sinks are found again after a reload. */
  readonly sinks: readonly SinkOpener[];
  /** Whether digests of whole files are computed. */
  readonly digest: boolean;
  /** What seals and opens in this room; nothing where there is no secret. */
  readonly seal: () => RoomSeal | undefined;
  /** The server's address, against which paths of downloads are resolved. */
  readonly base: string;
  /** Something about `transfer` is different now. */
  changed(transfer: Incoming | Outgoing): void;
  /** Something failed that nobody is waiting for. */
  problem(error: RoomdropError): void;
}
