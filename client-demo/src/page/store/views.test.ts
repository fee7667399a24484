// What the page makes of transfers and drops: where they stand, and what can be done with them.
import { expect, test } from "vitest";
import { Drop } from "../../sdk/Drop";
import { Incoming } from "../../sdk/Incoming";
import { Outgoing } from "../../sdk/Outgoing";
import type { ReceiverState, StoredCopy, TransferState } from "../../sdk/protocol";
import { dropView, totalOf, transferView } from "./views";

const OFFERED = { transfer: "t", name: "a.txt", size: 10, type: "text/plain", state: "offered" as const };
const VIEWER = { me: "me", online: true, nameOf: (member: string) => member };

function folded<T extends Incoming | Outgoing>(
  transfer: T,
  state: TransferState,
  mine?: ReceiverState,
  received = 4,
): T {
  const receivers = mine ? [{ member: "me", state: mine, received }] : [];
  transfer.fold({ transfer: "t", state, size: 10, sent: 5, receivers, bytesPerSecond: 0, etaSeconds: null });
  return transfer;
}

function incoming(
  stage: Incoming["stage"],
  state: TransferState,
  mine?: ReceiverState,
  type = "text/plain",
): Incoming {
  const transfer = folded(new Incoming({ ...OFFERED, type }, "me"), state, mine);
  transfer.stage = stage;
  return transfer;
}

function offer(...transfers: (Incoming | Outgoing)[]) {
  const drop = new Drop("d", "ada", "Ada", 0, false, "", transfers);
  return dropView(
    drop,
    transfers.map((one) => transferView(one, VIEWER)),
  );
}

test("only what makes sense can be pressed by a receiver", () => {
  const actions = (...how: Parameters<typeof incoming>) => transferView(incoming(...how), VIEWER).actions;
  expect(actions("offered", "offered")).toEqual(["accept", "reject", "download"]);
  expect(actions("offered", "cancelled")).toEqual([]);
  expect(actions("receiving", "active", "receiving")).toEqual(["pause", "cancel"]);
  expect(actions("receiving", "active", "paused")).toEqual(["resume", "cancel"]);
  expect(actions("receiving", "paused", "receiving")).toEqual(["cancel"]);
  expect(actions("verifying", "active", "receiving")).toEqual([]);
  expect(actions("rejected", "offered", "rejected")).toEqual(["accept", "download"]);
  expect(actions("complete", "complete", "complete")).toEqual(["accept", "download"]);
});

test("pictures, sound and video can be watched, before they are accepted and while they come", () => {
  const actions = (...how: Parameters<typeof incoming>) => transferView(incoming(...how), VIEWER).actions;
  for (const type of ["image/png", "audio/ogg", "video/mp4"]) {
    expect(actions("offered", "offered", undefined, type)).toContain("play");
    expect(actions("receiving", "active", "receiving", type)).toContain("play");
  }
  expect(actions("offered", "offered", undefined, "image/svg+xml")).not.toContain("play");
});

test("only what makes sense can be pressed by a sender", () => {
  const outgoing = folded(new Outgoing(OFFERED), "active");
  outgoing.stage = "serving";
  expect(transferView(outgoing, VIEWER).actions).toEqual(["pause", "cancel"]);
  expect(transferView(folded(outgoing, "paused"), VIEWER).actions).toEqual(["resume", "cancel"]);
  outgoing.stage = "missing";
  expect(transferView(folded(outgoing, "suspended"), VIEWER).actions).toEqual(["supply", "pause", "cancel"]);
  outgoing.stage = "asleep";
  expect(transferView(outgoing, VIEWER)).toMatchObject({
    stage: "asleep",
    actions: ["wake", "pause", "cancel"],
  });
  expect(transferView(folded(outgoing, "failed"), VIEWER).actions).toEqual([]);
});

test("a copy that is stored is deleted, not cancelled, and needs its file no more", () => {
  const outgoing = new Outgoing({ ...OFFERED, copy: { state: "storing" } });
  outgoing.stage = "missing";
  const view = () => transferView(outgoing, VIEWER);
  const becomes = (copy: StoredCopy) => outgoing.offeredAgain({ ...OFFERED, copy });
  expect(view()).toMatchObject({
    stage: "missing",
    copy: { state: "storing" },
    actions: ["supply", "cancel"],
  });
  becomes({ state: "stored", until: 60_000 });
  expect(view()).toMatchObject({
    stage: "open",
    copy: { state: "stored", until: 60_000 },
    actions: ["delete"],
  });
  outgoing.stage = "ended";
  expect(view().actions).toEqual(["delete"]);
  becomes({ state: "failed", error: "storage_full", msg: "It is not kept. There is no room." });
  expect(view()).toMatchObject({ copy: { state: "failed" }, actions: [] });
});

test("receivers are those who answered, and not the one who looks", () => {
  const outgoing = folded(new Outgoing(OFFERED), "active", "invited");
  const sender = { ...VIEWER, me: "sender" };
  expect(transferView(outgoing, sender).receivers).toEqual([]);
  folded(outgoing, "active", "receiving");
  expect(transferView(outgoing, sender).receivers).toMatchObject([
    { name: "me", stage: "receiving", done: 4, flows: true },
  ]);
  expect(transferView(outgoing, VIEWER).receivers).toEqual([]);
});

test("all that was sent is not all that was received, and neither is all that was verified", () => {
  const outgoing = new Outgoing(OFFERED);
  const stands = (sent: number, received: number, state: ReceiverState) => {
    const receivers = [{ member: "bo", state, received }];
    const status = { transfer: "t", size: 10, sent, receivers, bytesPerSecond: 0, etaSeconds: null };
    outgoing.fold({ ...status, state: state === "complete" ? "complete" : "active" });
    const { stage, receivers: views } = transferView(outgoing, VIEWER);
    return [stage, views[0]?.stage];
  };
  expect(stands(5, 4, "receiving")).toEqual(["sending", "receiving"]);
  expect(stands(10, 4, "receiving")).toEqual(["sent", "receiving"]);
  expect(stands(10, 10, "receiving")).toEqual(["sent", "verifying"]);
  expect(stands(10, 10, "complete")).toEqual(["delivered", "complete"]);
});

test("without a connection what was moving waits for it, and the rest stands", () => {
  const offline = { ...VIEWER, online: false };
  expect(transferView(incoming("receiving", "active", "receiving"), offline).stage).toBe("offline");
  expect(transferView(incoming("offered", "offered"), offline).stage).toBe("offered");
});

test("a drop stands where the most pressing of its files does, and adds up what they are", () => {
  const waiting = incoming("offered", "offered");
  const moving = incoming("receiving", "active", "receiving");
  expect(offer(waiting, incoming("rejected", "offered"))).toMatchObject({
    stage: "offered",
    actions: ["accept", "reject"],
  });
  expect(offer(waiting, moving)).toMatchObject({
    stage: "moving",
    actions: ["accept", "reject", "pause", "cancel"],
  });
  expect(offer(waiting, moving).total).toMatchObject({ files: 2, size: 20, finished: 0 });
  expect(offer(incoming("complete", "complete")).stage).toBe("done");
  expect(offer(incoming("complete", "complete"), incoming("failed", "failed"))).toMatchObject({
    stage: "failed",
    total: { finished: 1, failed: 1 },
  });
  expect(offer(incoming("rejected", "offered")).stage).toBe("over");
});

test("a size that is not known makes the total unknown, and not wrong", () => {
  const live = transferView(new Incoming({ ...OFFERED, size: null }, "me"), VIEWER);
  expect(totalOf([live, transferView(incoming("offered", "offered"), VIEWER)])).toMatchObject({
    size: null,
    secondsLeft: null,
  });
});

test("a sender sees what each receiver has of all files together", () => {
  const files = [1, 2].map((number) => {
    const one = new Outgoing({ ...OFFERED, transfer: `t${number}` });
    const receivers = [
      {
        member: "bo",
        state: number === 1 ? ("complete" as const) : ("receiving" as const),
        received: number === 1 ? 10 : 4,
      },
      { member: "chi", state: "rejected" as const, received: 0 },
    ];
    one.fold({
      transfer: one.id,
      state: "active",
      size: 10,
      sent: 10,
      receivers,
      bytesPerSecond: 0,
      etaSeconds: null,
    });
    return one;
  });
  expect(offer(...files).receivers).toMatchObject([
    { member: "bo", files: 2, finished: 1, done: 14, size: 20, stage: "receiving" },
    { member: "chi", finished: 0, stage: "rejected" },
  ]);
});
