// What the page makes of names, sizes and times, and the strings it shows.
import { expect, test } from "vitest";
import { Incoming } from "../sdk/Incoming";
import { Outgoing } from "../sdk/Outgoing";
import type { ReceiverState, StoredCopy, TransferState } from "../sdk/protocol";
import { bytes, percent, timeLeft } from "./format";
import { randomRoomId, roomIdIn } from "./roomId";
import { transferView } from "./store/views";

const OFFERED = { transfer: "t", name: "a", size: 10, type: "text/plain", state: "offered" as const };
const NOW = new Date(2026, 4, 3, 12, 0).getTime();
const VIEWER = { me: "me", online: true, now: NOW, nameOf: (member: string) => member };

function folded<T extends Incoming | Outgoing>(transfer: T, state: TransferState, mine?: ReceiverState): T {
  const receivers = mine ? [{ member: "me", state: mine, received: 4 }] : [];
  transfer.fold({ transfer: "t", state, size: 10, sent: 5, receivers, bytesPerSecond: 0, etaSeconds: null });
  return transfer;
}

function incoming(stage: Incoming["stage"], state: TransferState, mine?: ReceiverState): Incoming {
  const transfer = folded(new Incoming(OFFERED, "me"), state, mine);
  transfer.stage = stage;
  return transfer;
}

test("only what makes sense can be pressed by a receiver", () => {
  const actions = (...how: Parameters<typeof incoming>) => transferView(incoming(...how), VIEWER).actions;
  expect(actions("offered", "offered")).toEqual(["accept", "download", "reject"]);
  expect(actions("offered", "cancelled")).toEqual([]);
  expect(actions("receiving", "active", "receiving")).toEqual(["pause", "cancel"]);
  expect(actions("receiving", "active", "paused")).toEqual(["resume", "cancel"]);
  expect(actions("receiving", "paused", "receiving")).toEqual(["cancel"]);
  expect(actions("rejected", "offered", "rejected")).toEqual(["accept", "download"]);
  expect(actions("complete", "complete", "complete")).toEqual(["accept", "download"]);
});

test("only what makes sense can be pressed by a sender", () => {
  const outgoing = folded(new Outgoing(OFFERED), "active");
  outgoing.stage = "serving";
  expect(transferView(outgoing, VIEWER).actions).toEqual(["pause", "cancel"]);
  expect(transferView(folded(outgoing, "paused"), VIEWER).actions).toEqual(["resume", "cancel"]);
  outgoing.stage = "missing";
  expect(transferView(folded(outgoing, "suspended"), VIEWER).actions).toEqual(["supply", "pause", "cancel"]);
  expect(transferView(folded(outgoing, "failed"), VIEWER).actions).toEqual([]);
});

test("what became of the copy is said in words, and one that is stored is deleted, not cancelled", () => {
  const outgoing = new Outgoing({ ...OFFERED, copy: { state: "storing" } });
  outgoing.stage = "missing";
  const view = () => transferView(outgoing, VIEWER);
  const becomes = (copy: StoredCopy) => outgoing.offeredAgain({ ...OFFERED, copy });
  expect(view()).toMatchObject({ copy: { words: "being stored" }, actions: ["supply", "cancel"] });
  becomes({ state: "stored", until: NOW + 60_000 });
  expect(view().copy?.words).toMatch(/^stored until .*12.*01/);
  expect(view().actions).toEqual(["delete"]);
  expect(view().words).toBe("waiting for someone to accept");
  becomes({ state: "stored", until: NOW + 24 * 3600_000 });
  expect(view().copy?.words).toMatch(/^stored until .*4.*12.*00/);
  outgoing.stage = "ended";
  expect(view().actions).toEqual(["delete"]);
  becomes({ state: "failed", error: "storage_full", msg: "It is not kept. There is no room." });
  expect(view()).toMatchObject({
    copy: { words: "could not be stored", error: "It is not kept. There is no room." },
    actions: [],
  });
  expect(transferView(incoming("offered", "offered"), VIEWER).copy).toBeUndefined();
});

test("receivers are those who answered, and not the one who looks", () => {
  const outgoing = folded(new Outgoing(OFFERED), "active", "invited");
  const sender = { ...VIEWER, me: "sender" };
  expect(transferView(outgoing, sender).receivers).toEqual([]);
  folded(outgoing, "active", "receiving");
  expect(transferView(outgoing, sender).receivers).toMatchObject([
    { name: "me", words: "receiving", done: 4, flows: true },
  ]);
  expect(transferView(outgoing, VIEWER).receivers).toEqual([]);
});

test("without a connection what was moving is said to wait for it, and the rest stands", () => {
  const offline = { ...VIEWER, online: false };
  expect(transferView(incoming("receiving", "active", "receiving"), offline).words).toMatch(
    /^waiting for the/,
  );
  expect(transferView(incoming("offered", "offered"), offline).words).toBe("offered to you");
});

test("a percentage is never 100 before all is there", () => {
  expect(percent(999_999, 1_000_000)).toBe(99);
  expect(percent(1_000_000, 1_000_000)).toBe(100);
  expect(percent(0, 0)).toBe(100);
  expect(percent(5, null)).toBe(0);
});

test("sizes and times are read as people say them", () => {
  expect([0, 1, 999, 1000, 999_950, 4_500_000_000].map(bytes)).toEqual([
    "0 bytes",
    "1 byte",
    "999 bytes",
    "1.0 kB",
    "1.0 MB",
    "4.5 GB",
  ]);
  expect([null, 5, 65, 3700].map(timeLeft)).toEqual(["", "5 s left", "1 min 5 s left", "1 h 1 min left"]);
});

test("a room is found in a code and in an address, and nothing else is taken for one", () => {
  expect(roomIdIn(" calm-otter-42 ")).toBe("calm-otter-42");
  expect(roomIdIn("calm otter 42")).toBe("calm-otter-42");
  expect(roomIdIn("http://example.org/rooms/a_B-1?x=1")).toBe("a_B-1");
  for (const wrong of ["", "a/b", "ä", "x".repeat(65), "<b>"]) expect(roomIdIn(wrong)).toBeUndefined();
  expect(roomIdIn(randomRoomId())).toMatch(/^[a-z]+-[a-z]+-\d+$/);
});
