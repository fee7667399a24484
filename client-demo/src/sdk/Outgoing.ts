/** A transfer that this member sends. */

import type { Status } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { type Outcome, type Progress, Transfer } from "./Transfer";

/**
 * - `serving`: the file is at hand, and its bytes are sent as they are asked for.
 * - `asleep`: the page was reloaded, and the browser will ask about the file after a click (`room.wake`).
 * - `missing`: the page was reloaded; the file has to be chosen again (`room.supply`). `error` may say why.
 * - `elsewhere`: this member's, but its bytes do not come from this page.
 * - `ended`: nothing more is sent.
 */
export type OutgoingStage = "serving" | "asleep" | "missing" | "elsewhere" | "ended";

export class Outgoing extends Transfer {
  readonly direction = "outgoing";
  stage: OutgoingStage = "elsewhere";

  override fold(status: Status): void {
    super.fold(status);
    this.meter.note(performance.now(), status.sent);
  }

  protected override get outcome(): Outcome {
    if (this.state === "complete") return "done";
    if (this.final || this.stage === "ended") {
      return this.error ?? new RoomdropError("transfer_closed", "Nothing more is sent of it.");
    }
    return "open";
  }

  /** Bytes that reached the server. All of them is not completion: the receivers' word is. */
  override get progress(): Progress {
    return this.progressOf(this.sent, this.state === "active");
  }
}
