/**
 * Where a transfer stands, as one word that the page has a sentence and a colour for. Pure: it folds the server's
 * state, this side's stage and the connection into one answer, and holds no sentence of any language.
 */
import type { Incoming, Outgoing, ReceiverProgress } from "../../sdk";

export type Stage =
  // of what one was offered
  | "offered"
  | "asking"
  | "waiting"
  | "receiving"
  | "browser"
  | "verifying"
  | "received"
  | "pausedHere"
  | "pausedThere"
  | "rejected"
  | "givenUp"
  | "calledOff"
  // of what one sends
  | "open"
  | "sending"
  | "sent"
  | "held"
  | "delivered"
  | "missing"
  | "asleep"
  | "cancelled"
  // of both
  | "suspended"
  | "offline"
  | "failed";

/** How a stage is coloured; its sentence says the same. */
export type Tone = "calm" | "busy" | "held" | "good" | "bad";

/** What a receiver's state is to its sender. `verifying`: all bytes are there, and it has not said that they are right. */
export type ReceiverStage = ReceiverProgress["state"] | "verifying" | "offline";

export const TONES: Record<Stage, Tone> = {
  offered: "calm",
  asking: "busy",
  waiting: "held",
  receiving: "busy",
  browser: "busy",
  verifying: "busy",
  received: "good",
  pausedHere: "held",
  pausedThere: "held",
  rejected: "calm",
  givenUp: "calm",
  calledOff: "calm",
  open: "calm",
  sending: "busy",
  sent: "busy",
  held: "held",
  delivered: "good",
  missing: "held",
  asleep: "held",
  cancelled: "calm",
  suspended: "held",
  offline: "held",
  failed: "bad",
};

export const RECEIVER_TONES: Record<ReceiverStage, Tone> = {
  invited: "calm",
  accepted: "busy",
  receiving: "busy",
  verifying: "busy",
  paused: "held",
  away: "held",
  offline: "held",
  complete: "good",
  rejected: "calm",
  cancelled: "calm",
  failed: "bad",
};

/** Where `transfer` stands; `online`: whether the server can be reached. */
export function stageOf(transfer: Incoming | Outgoing, online: boolean): Stage {
  if (!online && isMoving(transfer)) return "offline";
  return transfer.direction === "incoming" ? incomingStage(transfer) : outgoingStage(transfer);
}

/** Whether it is under way, so that a bar makes sense. */
export function isMoving(transfer: Incoming | Outgoing): boolean {
  if (transfer.direction === "incoming") {
    return ["waiting", "receiving", "browser", "verifying"].includes(transfer.stage);
  }
  return ["active", "paused", "suspended"].includes(transfer.state);
}

/** Whether its file is not at hand after a reload: no matter where the server has all of it. */
export function isMissing(outgoing: Outgoing): boolean {
  return (outgoing.stage === "missing" || outgoing.stage === "asleep") && outgoing.copy?.state !== "stored";
}

export function receiverStage({ state, done, size }: ReceiverProgress, online: boolean): ReceiverStage {
  const flows = state === "accepted" || state === "receiving";
  if (flows && !online) return "offline";
  return flows && size !== null && size > 0 && done >= size ? "verifying" : state;
}

function incomingStage(incoming: Incoming): Stage {
  switch (incoming.stage) {
    case "receiving":
    case "browser":
      if (incoming.paused) return "pausedHere";
      if (incoming.state === "paused") return "pausedThere";
      return incoming.state === "suspended" ? "suspended" : incoming.stage;
    case "complete":
      return "received";
    case "offered":
      return incoming.final ? ended(incoming) : "offered";
    case "cancelled":
      return incoming.final ? ended(incoming) : "givenUp";
    default:
      return incoming.stage;
  }
}

function ended(incoming: Incoming): Stage {
  return incoming.state === "failed" ? "failed" : "calledOff";
}

function outgoingStage(outgoing: Outgoing): Stage {
  if (isMissing(outgoing) && !outgoing.final) return outgoing.stage === "asleep" ? "asleep" : "missing";
  if (outgoing.error && outgoing.state !== "cancelled") return "failed";
  switch (outgoing.state) {
    case "offered":
      return "open";
    case "active":
      return isAllSent(outgoing) ? "sent" : "sending";
    case "paused":
      return "held";
    case "complete":
      return "delivered";
    default:
      return outgoing.state;
  }
}

/** Whether the server has every byte, and only receivers are waited for. */
function isAllSent({ sent, size, receivers }: Outgoing): boolean {
  return size !== null && size > 0 && sent >= size && receivers.some(({ state }) => state === "receiving");
}
