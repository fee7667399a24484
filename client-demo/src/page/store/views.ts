/**
 * What the page shows of drops and transfers: plain values, and which buttons make sense. Pure, so that it
 * is tested without a page; components show it and decide nothing.
 */
import type {
  Copy,
  Drop,
  Fetch,
  FetchStage,
  Incoming,
  Outgoing,
  Progress,
  ReceiverState,
  RoomState,
  TransferState,
} from "../../sdk";
import { when } from "../format";

export type Action =
  | "play"
  | "accept"
  | "download"
  | "reject"
  | "pause"
  | "resume"
  | "cancel"
  | "delete"
  | "save"
  | "forget"
  | "supply";

export interface ReceiverView extends Progress {
  member: string;
  name: string;
  words: string;
  tone: Tone;
  flows: boolean;
}

export interface TransferView {
  id: string;
  name: string;
  path: string;
  direction: "incoming" | "outgoing";
  progress: Progress;
  /** What a player can make of it, if anything. */
  media: "audio" | "video" | undefined;
  /** Whether its size is not known yet. */
  live: boolean;
  /** Whether a progress bar makes sense. */
  moving: boolean;
  words: string;
  tone: Tone;
  /** What became of the copy on the server, where one was asked for. */
  copy: CopyView | undefined;
  error: string | undefined;
  actions: readonly Action[];
  receivers: readonly ReceiverView[];
}

export interface CopyView extends Words {
  /** Why there is none. */
  error: string | undefined;
}

export interface DropView {
  id: string;
  fromName: string;
  mine: boolean;
  at: number;
  note: string;
  transfers: readonly TransferView[];
  /** Buttons for all files at once; none when there is only one. */
  actions: readonly Extract<Action, "accept" | "reject">[];
}

/** A link that the server downloads. */
export interface FetchView {
  id: string;
  name: string;
  progress: Progress;
  words: string;
  tone: Tone;
  error: string | undefined;
  ended: boolean;
}

/** How a state is coloured; the words say the same. */
export type Tone = "calm" | "busy" | "held" | "good" | "bad";

/** Through whose eyes it is seen. */
export interface Viewer {
  /** The member that looks, once joined. Its own part is the row itself, and not among the receivers. */
  me: string | undefined;
  /** Whether the server can be reached. */
  online: boolean;
  /** Milliseconds since the Unix epoch. */
  now: number;
  /** What a member is called. */
  nameOf(member: string): string;
}

export function dropView(drop: Drop, viewer: Viewer): DropView {
  const transfers = drop.transfers.map((transfer) => transferView(transfer, viewer));
  const open = drop.transfers.filter(
    (one) => one.direction === "incoming" && one.stage === "offered" && !one.final,
  );
  return {
    id: drop.id,
    fromName: drop.fromName,
    mine: drop.transfers.some(({ direction }) => direction === "outgoing"),
    at: drop.at,
    note: drop.note,
    transfers,
    actions: open.length > 1 ? ["accept", "reject"] : [],
  };
}

export function transferView(transfer: Incoming | Outgoing, viewer: Viewer): TransferView {
  const { me, online, now, nameOf } = viewer;
  const own = transfer.direction === "incoming" ? incomingWords(transfer) : outgoingWords(transfer);
  const moving = isMoving(transfer);
  return {
    id: transfer.id,
    name: transfer.name,
    path: transfer.path,
    direction: transfer.direction,
    progress: transfer.progress,
    moving,
    media: mediaOf(transfer.type),
    live: transfer.size === null,
    ...(moving && !online ? OFFLINE : own),
    copy: transfer.copy && copyView(transfer.copy, now),
    error: transfer.error?.message,
    actions: transfer.direction === "incoming" ? incomingActions(transfer) : outgoingActions(transfer),
    receivers: transfer.receivers
      .filter(({ member, state }) => state !== "invited" && member !== me)
      .map((receiver) => ({
        ...receiver,
        name: nameOf(receiver.member),
        ...RECEIVER_WORDS[receiver.state],
        flows: ["accepted", "receiving", "paused", "away"].includes(receiver.state),
      })),
  };
}

function mediaOf(type: string): "audio" | "video" | undefined {
  const kind = /^(audio|video)\//.exec(type)?.[1];
  return kind === "audio" || kind === "video" ? kind : undefined;
}

export function fetchView(fetch: Fetch): FetchView {
  const { resource: id, name, progress, stage, error, final: ended } = fetch;
  const waits = stage === "offered" && progress.done === 0;
  const own = waits
    ? { words: "offered; comes as it is accepted", tone: "calm" as const }
    : FETCH_WORDS[stage];
  return { id, name, progress, ...own, error: error?.message, ended };
}

interface Words {
  words: string;
  tone: Tone;
}

/** Nothing is known for certain then; what was on its way goes on when the connection is back. */
const OFFLINE: Words = { words: "waiting for the connection; goes on by itself", tone: "held" };

const RECEIVER_WORDS: Record<ReceiverState, Words> = {
  invited: { words: "has not answered", tone: "calm" },
  accepted: { words: "accepted", tone: "busy" },
  receiving: { words: "receiving", tone: "busy" },
  paused: { words: "paused", tone: "held" },
  away: { words: "away; goes on when back", tone: "held" },
  complete: { words: "has all of it", tone: "good" },
  rejected: { words: "rejected", tone: "calm" },
  cancelled: { words: "cancelled", tone: "calm" },
  failed: { words: "failed", tone: "bad" },
};

const TRANSFER_WORDS: Record<TransferState, Words> = {
  offered: { words: "waiting for someone to accept", tone: "calm" },
  active: { words: "sending", tone: "busy" },
  paused: { words: "paused by the sender", tone: "held" },
  suspended: { words: "waiting for a lost link; goes on by itself", tone: "held" },
  complete: { words: "everyone who accepted has it", tone: "good" },
  cancelled: { words: "cancelled by the sender", tone: "calm" },
  failed: { words: "failed", tone: "bad" },
};

const FETCH_WORDS: Record<FetchStage, Words> = {
  starting: { words: "asking the origin", tone: "busy" },
  offered: { words: "downloading", tone: "busy" },
  complete: { words: "everyone who accepted has it", tone: "good" },
  stopped: { words: "stopped by you", tone: "calm" },
  failed: { words: "failed", tone: "bad" },
};

function copyView(copy: Copy, now: number): CopyView {
  switch (copy.state) {
    case "storing":
      return { words: "being stored", tone: "busy", error: undefined };
    case "stored": {
      const words = copy.until === null ? "stored" : `stored until ${when(copy.until, now)}`;
      return { words, tone: "good", error: undefined };
    }
    case "failed":
      return { words: "could not be stored", tone: "bad", error: copy.error.message };
  }
}

function incomingWords(incoming: Incoming): Words {
  switch (incoming.stage) {
    case "offered":
      return incoming.final ? TRANSFER_WORDS[incoming.state] : { words: "offered to you", tone: "calm" };
    case "asking":
      return { words: "asking the server", tone: "busy" };
    case "waiting":
      return { words: "waiting for other files to finish", tone: "held" };
    case "receiving":
    case "browser":
      if (incoming.paused) return { words: "paused by you", tone: "held" };
      if (incoming.state === "paused" || incoming.state === "suspended")
        return TRANSFER_WORDS[incoming.state];
      return {
        words: incoming.stage === "browser" ? "downloading in the browser" : "receiving",
        tone: "busy",
      };
    case "verifying":
      return { words: "being checked", tone: "busy" };
    case "complete":
      return { words: "received", tone: "good" };
    case "rejected":
      return { words: "rejected by you", tone: "calm" };
    case "cancelled":
      return incoming.final ? TRANSFER_WORDS[incoming.state] : { words: "cancelled by you", tone: "calm" };
    case "failed":
      return { words: "failed", tone: "bad" };
  }
}

function outgoingWords(outgoing: Outgoing): Words {
  if (isMissing(outgoing) && !outgoing.final) {
    return { words: "choose the file again, and it goes on", tone: "held" };
  }
  if (outgoing.state === "paused") return { words: "paused by you", tone: "held" };
  if (outgoing.state === "cancelled") return { words: "cancelled by you", tone: "calm" };
  if (outgoing.error) return TRANSFER_WORDS.failed;
  return TRANSFER_WORDS[outgoing.state];
}

function isMoving(transfer: Incoming | Outgoing): boolean {
  if (transfer.direction === "incoming") return ["waiting", "receiving", "browser"].includes(transfer.stage);
  return ["active", "paused", "suspended"].includes(transfer.state);
}

function incomingActions(incoming: Incoming): Action[] {
  switch (incoming.stage) {
    case "offered":
      if (incoming.final) return [];
      return [...(mediaOf(incoming.type) ? (["play"] as const) : []), "accept", "download", "reject"];
    case "waiting":
      return ["cancel"];
    case "receiving":
    case "browser":
      if (incoming.paused) return ["resume", "cancel"];
      return incoming.state === "paused" ? ["cancel"] : ["pause", "cancel"];
    case "complete":
      if (incoming.kept) return ["save", "forget"];
      return incoming.acceptable ? ["accept", "download"] : [];
    case "rejected":
    case "cancelled":
    case "failed":
      return incoming.acceptable ? ["accept", "download"] : [];
    case "asking":
    case "verifying":
      return [];
  }
}

function outgoingActions(outgoing: Outgoing): Action[] {
  if (outgoing.final) return [];
  const stored = outgoing.copy?.state === "stored";
  if (outgoing.stage === "ended" && !stored) return [];
  const supply: Action[] = isMissing(outgoing) ? ["supply"] : [];
  const end = stored ? "delete" : "cancel";
  switch (outgoing.state) {
    case "paused":
      return [...supply, "resume", end];
    case "active":
    case "suspended":
      return [...supply, "pause", end];
    default:
      return [...supply, end];
  }
}

/** Whether its file has to be chosen again: not where the server has all of it. */
function isMissing(outgoing: Outgoing): boolean {
  return outgoing.stage === "missing" && outgoing.copy?.state !== "stored";
}

export const ROOM_WORDS: Record<RoomState, Words> = {
  connecting: { words: "Connecting", tone: "busy" },
  joined: { words: "Connected", tone: "good" },
  offline: { words: "Connection lost; trying again", tone: "held" },
  refused: { words: "Not let in", tone: "bad" },
  left: { words: "Left", tone: "calm" },
};
