/**
 * What the page shows of drops and transfers: plain values, and which buttons make sense. Pure, so that it
 * is tested without a page; components show it and decide nothing, and sentences are in `words/`.
 */
import type {
  Copy,
  Drop,
  Fetch,
  FetchStage,
  Incoming,
  Outgoing,
  Progress,
  RoomdropError,
  Seal,
} from "../../sdk";
import { type Kind, kindOf } from "./kinds";
import {
  isMissing,
  isMoving,
  RECEIVER_TONES,
  type ReceiverStage,
  receiverStage,
  type Stage,
  stageOf,
  TONES,
  type Tone,
} from "./stages";

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
  | "supply"
  | "wake";

export interface ReceiverView extends Progress {
  member: string;
  name: string;
  stage: ReceiverStage;
  tone: Tone;
  flows: boolean;
}

export interface TransferView {
  id: string;
  name: string;
  path: string;
  kind: Kind;
  direction: "incoming" | "outgoing";
  progress: Progress;
  /** Whether its size is not known yet. */
  live: boolean;
  /** Whether a progress bar makes sense. */
  moving: boolean;
  stage: Stage;
  tone: Tone;
  /** Complete, and the digest or the seal of the whole was compared and is right. */
  verified: boolean;
  seal: Seal;
  preview: Blob | undefined;
  /** What became of the copy on the server, where one was asked for. */
  copy: Copy | undefined;
  error: RoomdropError | undefined;
  actions: readonly Action[];
  receivers: readonly ReceiverView[];
}

/** A link that the server downloads. */
export interface FetchView {
  id: string;
  name: string;
  progress: Progress;
  stage: FetchStage | "waiting";
  tone: Tone;
  error: RoomdropError | undefined;
  ended: boolean;
}

/** Through whose eyes it is seen. */
export interface Viewer {
  /** The member that looks, once joined. Its own part is the row itself, and not among the receivers. */
  me: string | undefined;
  /** Whether the server can be reached. */
  online: boolean;
  /** What a member is called; `undefined` of one who was never seen here. */
  nameOf(member: string): string | undefined;
}

export function transferView(transfer: Incoming | Outgoing, viewer: Viewer): TransferView {
  const stage = stageOf(transfer, viewer.online);
  return {
    id: transfer.id,
    name: transfer.name,
    path: transfer.path,
    kind: kindOf(transfer.name, transfer.type),
    direction: transfer.direction,
    progress: transfer.progress,
    live: transfer.size === null,
    moving: isMoving(transfer),
    stage,
    tone: TONES[stage],
    verified: transfer.direction === "incoming" && transfer.verified,
    seal: transfer.seal,
    preview: transfer.preview,
    copy: transfer.copy,
    error: transfer.error,
    actions: transfer.direction === "incoming" ? incomingActions(transfer) : outgoingActions(transfer),
    receivers: receiverViews(transfer, viewer),
  };
}

function receiverViews(transfer: Incoming | Outgoing, { me, online, nameOf }: Viewer): ReceiverView[] {
  return transfer.receivers.flatMap((receiver) => {
    const { member, state } = receiver;
    if (state === "invited" || member === me) return [];
    const stage = receiverStage(receiver, online);
    const flows = ["accepted", "receiving", "paused", "away"].includes(state);
    return [{ ...receiver, name: nameOf(member) ?? "", stage, tone: RECEIVER_TONES[stage], flows }];
  });
}

export function fetchView(fetch: Fetch): FetchView {
  const { resource: id, name, progress, error, final: ended } = fetch;
  const stage = fetch.stage === "offered" && progress.done === 0 ? "waiting" : fetch.stage;
  return { id, name, progress, stage, tone: FETCH_TONES[stage], error, ended };
}

const FETCH_TONES: Record<FetchView["stage"], Tone> = {
  starting: "busy",
  waiting: "calm",
  offered: "busy",
  complete: "good",
  stopped: "calm",
  failed: "bad",
};

function incomingActions(incoming: Incoming): Action[] {
  const play: Action[] = kindOf(incoming.name, incoming.type).watchable ? ["play"] : [];
  if (incoming.seal === "locked") return incoming.stage === "offered" && !incoming.final ? ["reject"] : [];
  switch (incoming.stage) {
    case "offered":
      return incoming.final ? [] : ["accept", "reject", ...play, "download"];
    case "waiting":
      return ["cancel"];
    case "receiving":
    case "browser":
      if (incoming.paused) return ["resume", "cancel"];
      return [...play, ...(incoming.state === "paused" ? [] : (["pause"] as const)), "cancel"];
    case "complete":
      if (incoming.kept) return ["save", ...play, "forget"];
      return incoming.acceptable ? ["accept", ...play, "download"] : [];
    case "rejected":
    case "cancelled":
    case "failed":
      return incoming.acceptable ? ["accept", "download"] : [];
    default:
      return [];
  }
}

function outgoingActions(outgoing: Outgoing): Action[] {
  if (outgoing.final) return [];
  const stored = outgoing.copy?.state === "stored";
  if (outgoing.stage === "ended" && !stored) return [];
  const again: Action[] = isMissing(outgoing) ? [outgoing.stage === "asleep" ? "wake" : "supply"] : [];
  const end = stored ? "delete" : "cancel";
  switch (outgoing.state) {
    case "paused":
      return [...again, "resume", end];
    case "active":
    case "suspended":
      return [...again, "pause", end];
    default:
      return [...again, end];
  }
}

/** What is asked of all files of a drop at once. */
export type DropAction = "accept" | "reject" | "pause" | "resume" | "cancel" | "save";

/** Where a drop stands as a whole. */
export type DropStage = "offered" | "moving" | "held" | "open" | "done" | "over" | "failed";

export interface DropView {
  id: string;
  from: string;
  fromName: string;
  mine: boolean;
  at: number;
  keep: boolean;
  note: string;
  seal: Seal;
  /** The files, in the order of the offer. */
  ids: readonly string[];
  /** Files that wait for one's answer. */
  offered: readonly string[];
  stage: DropStage;
  tone: Tone;
  /** Of all files together. */
  total: Total;
  actions: readonly DropAction[];
  /** What each receiver has of the whole; of one's own drops. */
  receivers: readonly ReceiverTotal[];
}

export interface Total extends Progress {
  files: number;
  /** Files that are received, or delivered. */
  finished: number;
  failed: number;
  verified: number;
}

export interface ReceiverTotal extends Progress {
  member: string;
  name: string;
  files: number;
  finished: number;
  stage: ReceiverStage;
  tone: Tone;
}

/** A drop from its files' views, which are at hand: thousands of files are not looked at anew for the one that moved. */
export function dropView(drop: Drop, views: readonly TransferView[]): DropView {
  const mine = views.some(({ direction }) => direction === "outgoing");
  const offered = views.filter(({ stage }) => stage === "offered").map(({ id }) => id);
  const stage = dropStage(views);
  return {
    id: drop.id,
    from: drop.from,
    fromName: drop.fromName,
    mine,
    at: drop.at,
    keep: drop.keep,
    note: drop.note,
    seal: drop.seal,
    ids: views.map(({ id }) => id),
    offered,
    stage,
    tone: DROP_TONES[stage],
    total: totalOf(views),
    actions: dropActions(views, offered.length),
    receivers: mine ? receiverTotals(views) : [],
  };
}

const DROP_TONES: Record<DropStage, Tone> = {
  offered: "calm",
  moving: "busy",
  held: "held",
  open: "calm",
  done: "good",
  over: "calm",
  failed: "bad",
};

/** The most pressing of its files' stages. */
function dropStage(views: readonly TransferView[]): DropStage {
  const stages = new Set(
    views.map(({ tone, stage }) => (stage === "offered" || stage === "open" ? stage : tone)),
  );
  if (stages.has("busy")) return "moving";
  if (stages.has("held")) return "held";
  if (stages.has("offered")) return "offered";
  if (stages.has("bad")) return "failed";
  if (stages.has("good")) return "done";
  return stages.has("open") ? "open" : "over";
}

export function totalOf(views: readonly TransferView[]): Total {
  const total = { files: views.length, finished: 0, failed: 0, verified: 0, done: 0, bytesPerSecond: 0 };
  let size: number | null = 0;
  for (const { progress, tone, verified } of views) {
    total.done += progress.done;
    total.bytesPerSecond += progress.bytesPerSecond;
    size = size === null || progress.size === null ? null : size + progress.size;
    if (tone === "good") total.finished += 1;
    if (tone === "bad") total.failed += 1;
    if (verified) total.verified += 1;
  }
  return { ...total, size, secondsLeft: secondsLeft(total.done, size, total.bytesPerSecond) };
}

function secondsLeft(done: number, size: number | null, bytesPerSecond: number): number | null {
  return size === null || bytesPerSecond <= 0 ? null : Math.ceil((size - done) / bytesPerSecond);
}

function dropActions(views: readonly TransferView[], offered: number): DropAction[] {
  if (views.length < 2) return [];
  const some = (action: Action, tone?: Tone) =>
    views.some((view) => view.actions.includes(action) && (!tone || view.tone === tone));
  const actions: DropAction[] = [];
  if (offered > 0) actions.push("accept", "reject");
  if (some("pause", "busy")) actions.push("pause");
  if (some("resume")) actions.push("resume");
  if (some("cancel")) actions.push("cancel");
  if (some("save")) actions.push("save");
  return actions;
}

function receiverTotals(views: readonly TransferView[]): ReceiverTotal[] {
  const totals = new Map<string, ReceiverTotal>();
  for (const { receivers, progress } of views) {
    for (const receiver of receivers) {
      const { member, name, stage, done, bytesPerSecond } = receiver;
      const known = totals.get(member);
      const sum = {
        member,
        name,
        files: (known?.files ?? 0) + 1,
        finished: (known?.finished ?? 0) + (stage === "complete" ? 1 : 0),
        done: (known?.done ?? 0) + done,
        size: known?.size === null || progress.size === null ? null : (known?.size ?? 0) + progress.size,
        bytesPerSecond: (known?.bytesPerSecond ?? 0) + bytesPerSecond,
        stage: known ? pressing(known.stage, stage) : stage,
      };
      const left = secondsLeft(sum.done, sum.size, sum.bytesPerSecond);
      totals.set(member, { ...sum, secondsLeft: left, tone: RECEIVER_TONES[sum.stage] });
    }
  }
  return [...totals.values()];
}

const PRESSING: readonly ReceiverStage[] = [
  "offline",
  "away",
  "paused",
  "receiving",
  "verifying",
  "accepted",
  "failed",
  "complete",
  "cancelled",
  "rejected",
  "invited",
];

function pressing(one: ReceiverStage, other: ReceiverStage): ReceiverStage {
  return PRESSING.indexOf(one) <= PRESSING.indexOf(other) ? one : other;
}
