// A room against a fake server: joining, offering, accepting, coming back.
import { expect, test } from "vitest";
import { MIB } from "./ChunkSize";
import { Drop } from "./Drop";
import type { StoredCopy } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { enter, FakeRoom, incoming, ME, memoryStorage, OTHER, offeredBy, status } from "./testing/FakeRoom";

test("a reconnect joins again as the same member", async () => {
  const server = new FakeRoom();
  const { room, up, down } = enter(server);
  const states: string[] = [];
  room.on("state", (state) => states.push(state));
  up();
  await room.joined();
  down();
  up();
  await room.joined();
  expect(states).toEqual(["joined", "offline", "joined"]);
  expect(server.of("room:join")).toEqual([
    { room: "r", name: "Ada" },
    { room: "r", name: "Ada", key: "key" },
  ]);
});

test("what became of the server's copy is known from the offer, each status, and a join later", async () => {
  const server = new FakeRoom();
  const { room, up, down } = enter(server);
  up();
  await room.joined();
  const mine = await room.offer([new File(["0123456789"], "a.txt")], { keep: true });
  expect(server.of("drop:offer")).toMatchObject([{ keep: true }]);
  const copy = () => mine.transfers[0]?.copy;
  expect(copy()).toEqual({ state: "storing" });
  const told = (said: StoredCopy) => {
    const { data, ...envelope } = status("t0", "offered");
    server.people.hear("transfer:status", { ...envelope, data: { ...data, copy: said } });
  };
  told({ state: "stored", until: 1234 });
  expect(copy()).toEqual({ state: "stored", until: 1234 });
  told({ state: "failed", error: "storage_full", msg: "It is not kept." });
  expect(copy()).toMatchObject({
    state: "failed",
    error: { code: "storage_full", message: "It is not kept." },
  });
  const [offered] = offeredBy(ME).transfers;
  if (!offered) throw new Error("no transfer");
  down();
  const transfers = [{ ...offered, copy: { state: "stored" as const, until: 99 } }];
  server.drops = [
    { ...offeredBy(ME), transfers },
    { ...offeredBy(OTHER), drop: "d2", transfers: [{ ...offered, transfer: "t9" }] },
  ];
  up();
  await room.joined();
  expect(copy()).toEqual({ state: "stored", until: 99 });
  expect(incoming(room)[0]?.copy).toBeUndefined();
});

test("leaving says so to the server of what is stored, which does without this side then", async () => {
  const server = new FakeRoom();
  const { room, up } = enter(server);
  up();
  await room.joined();
  await room.offer([new File(["0"], "a"), new File(["1"], "b")], { keep: true });
  const { data, ...envelope } = status("t1", "offered");
  const copy: StoredCopy = { state: "stored", until: 1234 };
  server.people.hear("transfer:status", { ...envelope, data: { ...data, copy } });
  await room.leave();
  expect(server.of("source:fail")).toEqual([{ transfer: "t1", reason: "gone" }]);
});

test("a live stream that is stored is served no more", async () => {
  const server = new FakeRoom();
  const { room, up } = enter(server);
  up();
  await room.joined();
  const stream = new Blob(["live"]).stream();
  const drop = await room.offer([{ stream, name: "live", type: "text/plain" }], { keep: true });
  const [outgoing] = drop.transfers;
  expect(outgoing).toMatchObject({ stage: "serving" });
  const { data, ...envelope } = status("t0", "offered");
  const copy: StoredCopy = { state: "stored", until: 1234 };
  server.people.hear("transfer:status", { ...envelope, data: { ...data, copy } });
  expect(outgoing).toMatchObject({ stage: "ended", error: undefined });
});

test("a reload joins as the same member, from what was remembered", async () => {
  const server = new FakeRoom();
  const storage = memoryStorage();
  const first = enter(server, storage);
  first.up();
  await first.room.joined();
  const second = enter(server, storage);
  second.up();
  await second.room.joined();
  expect(server.of("room:join").at(-1)).toMatchObject({ key: "key" });
});

test("a server that has forgotten everything is told of, and what it forgot is gone", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER)];
  const { room, up, down } = enter(server);
  const problems: string[] = [];
  room.on("problem", ({ code }) => problems.push(code));
  up();
  await room.joined();
  expect(room.drops).toHaveLength(1);
  down();
  server.drops = [];
  server.member = { id: "m9", name: "Ada" };
  up();
  await room.joined();
  expect([room.me?.id, room.drops, problems]).toEqual(["m9", [], ["transfer_not_found"]]);
});

test("a refusal is told with its code, and another try may succeed", async () => {
  const server = new FakeRoom();
  server.refuse["room:join"] = [new RoomdropError("not_allowed", "wrong passphrase")];
  const { room, up } = enter(server);
  up();
  await expect(room.joined()).rejects.toMatchObject({ code: "not_allowed" });
  expect(room.state).toBe("refused");
  room.enter({ passphrase: "right" });
  await room.joined();
  expect(server.of("room:join").at(-1)).toMatchObject({ passphrase: "right" });
});

test("an offer is served from its files, whether the room hears of it before or after the answer", async () => {
  for (const before of [true, false]) {
    const server = new FakeRoom();
    const { room, up } = enter(server);
    up();
    await room.joined();
    const offers: Drop[] = [];
    room.on("offered", (drop) => offers.push(drop));
    const hear = () => server.people.hear("drop:offered", offeredBy(ME));
    const offering = room.offer([new File(["0123456789"], "file 0")], { note: "hello" });
    if (before) hear();
    const drop = await offering;
    if (!before) hear();
    expect(offers).toEqual([drop]);
    expect(room.drops).toEqual([drop]);
    expect(drop.transfers[0]).toMatchObject({ direction: "outgoing", stage: "serving", size: 10 });
    await Promise.resolve();
    expect(server.of("source:open")).toEqual([{ token: "source0" }]);
  }
});

test("after a reload a sent file is missing until the same file is chosen again", async () => {
  const server = new FakeRoom();
  const storage = memoryStorage();
  const file = new File(["0123456789"], "file 0", { lastModified: 5 });
  const first = enter(server, storage);
  first.up();
  await first.room.joined();
  await first.room.offer([file]);
  first.room.close();
  server.drops = [offeredBy(ME, 1, "suspended")];
  const { room, up } = enter(server, storage);
  up();
  await room.joined();
  const [outgoing] = room.drops[0]?.transfers ?? [];
  expect(outgoing).toMatchObject({ stage: "missing" });
  const other = new File(["0123456789"], "file 0", { lastModified: 6 });
  await expect(room.supply([other])).rejects.toMatchObject({ code: "file_mismatch" });
  expect(await room.supply([other, file])).toEqual([outgoing]);
  expect(outgoing).toMatchObject({ stage: "serving" });
});

test("a whole drop is accepted with one word, and a few of its files move at once", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER, 6, "offered", MIB)];
  const { room, up } = enter(server);
  up();
  await room.joined();
  const [drop] = room.drops;
  expect(drop).toBeInstanceOf(Drop);
  if (drop) await room.accept(drop);
  expect(server.of("transfer:accept")).toEqual([{ drop: "d1" }]);
  const stages = () => incoming(room).map(({ stage }) => stage);
  expect(stages().filter((stage) => stage === "receiving")).toHaveLength(4);
  expect(stages().filter((stage) => stage === "waiting")).toHaveLength(2);
  server.people.hear("transfer:status", status("t0", "paused"));
  expect(stages().filter((stage) => stage === "waiting")).toHaveLength(1);
});

test("a refused accept leaves the offer as it was, and rejects with the server's code", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER)];
  server.refuse["transfer:accept"] = [new RoomdropError("transfer_closed", "over")];
  const { room, up } = enter(server);
  up();
  await room.joined();
  const [one] = incoming(room);
  if (!one) throw new Error("nothing is offered");
  await expect(room.accept(one)).rejects.toMatchObject({ code: "transfer_closed" });
  expect(one.stage).toBe("offered");
});

test("after a reload what was accepted goes on with its token", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER)];
  const storage = memoryStorage();
  const first = enter(server, storage);
  first.up();
  await first.room.joined();
  const [accepted] = incoming(first.room);
  if (accepted) await first.room.accept(accepted);
  first.room.close();
  const { room, up } = enter(server, storage);
  up();
  await room.joined();
  expect(incoming(room)[0]?.stage).toBe("receiving");
  await expect.poll(() => server.of("sink:open").length, { timeout: 20_000 }).toBeGreaterThan(0);
  expect(server.of("sink:open").at(-1)).toMatchObject({ token: "sink-t0", from: 0 });
});

test("a choice of the browser's download opens no sink of ours, and is complete by the server's word", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER)];
  const { room, up } = enter(server);
  up();
  await room.joined();
  const started: string[] = [];
  const [one] = incoming(room);
  if (!one) throw new Error("nothing is offered");
  await room.accept(one, { sink: { kind: "http", start: (url) => started.push(url) } });
  expect(started).toEqual(["http://server/transfers/t0/content?token=sink-t0"]);
  expect(one.stage).toBe("browser");
  server.people.hear("transfer:status", status("t0", "complete", "complete"));
  expect(one.stage).toBe("complete");
  expect(server.of("sink:open")).toEqual([]);
});

test("a cancelled transfer ends on both sides of the wire", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER)];
  const { room, up } = enter(server);
  up();
  await room.joined();
  const [one] = incoming(room);
  if (!one) throw new Error("nothing is offered");
  await room.accept(one);
  server.people.hear("transfer:status", status("t0", "cancelled"));
  expect(one).toMatchObject({ stage: "cancelled", final: true, acceptable: false });
});

test("what fails with nobody waiting is told as a problem", async () => {
  const server = new FakeRoom();
  const { room, up } = enter(server);
  up();
  await room.joined();
  const problems: string[] = [];
  room.on("problem", ({ code }) => problems.push(code));
  server.people.hear("problem", { code: -1, msg: "no", data: { error: "rate_limited", event: "pull" } });
  expect(problems).toEqual(["rate_limited"]);
});
