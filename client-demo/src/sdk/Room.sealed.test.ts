// A room with a secret against a fake relay: what is on the wire, who reads it, and in which order.
import { afterEach, expect, test, vi } from "vitest";
import type { Incoming } from "./Incoming";
import type { Offer, Drop as OfferedDrop, Say, Message as WireMessage } from "./protocol";
import type { Room } from "./Room";
import { sealedSize } from "./seal/layout";
import { canSeal, makeSecret } from "./seal/secret";
import { enter, FakeRoom, ME, memoryStorage, OTHER, status as statusFor } from "./testing/FakeRoom";

afterEach(() => vi.unstubAllGlobals());

const SECRET = makeSecret();
const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1, 2, 3]);

async function joined(server: FakeRoom, secret?: string, storage = memoryStorage()) {
  const entered = enter(server, storage, { name: "Ada", ...(secret === undefined ? {} : { secret }) });
  entered.up();
  await entered.room.joined();
  return entered;
}

/** What the server hands on of an offer that it was asked for. */
function handedOn(server: FakeRoom, from = OTHER): OfferedDrop {
  const { files, note, keep } = server.of("drop:offer").at(-1) as Offer;
  return {
    room: "r",
    drop: "d1",
    from: from.id,
    fromName: from.name,
    at: 1,
    keep: keep ?? false,
    note: note ?? null,
    transfers: files.map((file, index) => ({
      ...file,
      type: file.type ?? "",
      transfer: `t${index}`,
      state: "offered",
    })),
  };
}

async function offered(count = 1): Promise<OfferedDrop> {
  const server = new FakeRoom();
  const { room } = await joined(server, SECRET);
  const files = Array.from({ length: count }, (_, index) => ({
    file: new File(["x".repeat(index)], `plan ${index}.txt`, {
      type: "text/plain",
      lastModified: 1_234_567_890,
    }),
    path: "secret folder",
    preview: new Blob([PNG]),
  }));
  await room.offer(files, { note: "do not tell" });
  room.close();
  return handedOn(server);
}

async function looking(drop: OfferedDrop, secret?: string): Promise<Room> {
  const server = new FakeRoom();
  server.drops = [drop];
  return (await joined(server, secret)).room;
}

test("nothing but sizes is said of a sealed offer, and whoever has the secret reads all of it", async () => {
  const drop = await offered(3);
  expect(JSON.stringify(drop)).not.toMatch(/plan \d|secret folder|do not tell|text\/plain|1234567890/);
  const { drops } = await looking(drop, SECRET);
  const [seen] = drops;
  expect([seen?.seal, seen?.note]).toEqual(["open", "do not tell"]);
  for (const [index, transfer] of (seen?.transfers ?? []).entries()) {
    const { name, path, type, modified, size, seal } = transfer;
    expect({ name, path, type, modified, size, seal }).toEqual({
      name: `plan ${index}.txt`,
      path: "secret folder",
      type: "text/plain",
      modified: 1_234_567_890,
      size: index,
      seal: "open",
    });
    expect(transfer.preview?.type).toBe("image/png");
    expect(new Uint8Array((await transfer.preview?.arrayBuffer()) ?? new ArrayBuffer(0))).toEqual(PNG);
  }
});

test("without the secret, or with another, it is locked and cannot be accepted, and says why", async () => {
  const drop = await offered();
  for (const secret of [undefined, makeSecret()]) {
    const room = await looking(drop, secret);
    const [seen] = room.drops;
    expect([seen?.seal, seen?.note, seen?.transfers[0]?.name]).toEqual(["locked", "", "sealed.bin"]);
    const incoming = seen?.transfers[0] as Incoming;
    expect([incoming.acceptable, incoming.preview]).toEqual([false, undefined]);
    await expect(room.accept(incoming)).rejects.toMatchObject({ code: "sealed" });
    if (seen) await expect(room.accept(seen)).rejects.toMatchObject({ code: "sealed" });
  }
});

test("a drop with something changed in it is locked, not believed", async () => {
  const drop = await offered();
  const [transfer] = drop.transfers;
  if (!transfer) throw new Error("no transfer");
  const changes = [
    { size: (transfer.size ?? 0) + 1 },
    { size: null },
    { path: transfer.path?.replace(/^./, (first) => (first === "A" ? "B" : "A")) ?? "" },
    { path: "a/b" },
  ];
  for (const change of changes) {
    const { drops } = await looking({ ...drop, transfers: [{ ...transfer, ...change }] }, SECRET);
    expect(drops[0]?.seal).toBe("locked");
  }
});

test("the whole link opens what was locked, without a reload", async () => {
  const room = await looking(await offered());
  expect(room.drops[0]?.seal).toBe("locked");
  room.enter({ secret: SECRET });
  await expect.poll(() => room.drops[0]?.seal).toBe("open");
  expect(room.sealed).toBe(true);
});

test("what someone without the secret offers and says is there, and marked as not encrypted", async () => {
  const server = new FakeRoom();
  server.drops = [
    {
      ...(await offered()),
      note: null,
      transfers: [{ transfer: "t9", name: "curl.txt", size: 4, type: "text/plain", state: "offered" }],
    },
  ];
  server.messages = [{ room: "r", id: "1", at: 1, from: OTHER.id, fromName: "Bo", text: "hello" }];
  const { room } = await joined(server, SECRET);
  expect(room.drops[0]?.seal).toBe("none");
  expect(room.messages[0]).toMatchObject({ text: "hello", seal: "none" });
});

test("messages are sealed, and locked to whoever lacks the secret", async () => {
  const server = new FakeRoom();
  const { room } = await joined(server, SECRET);
  await room.say("meet me at noon");
  const { text } = server.of("room:message")[0] as Say;
  expect(text).toMatch(/^sealed:1:/);
  const message: WireMessage = { room: "r", id: "1", at: 1, from: ME.id, fromName: "Ada", text };
  server.people.hear("room:message", message);
  await expect.poll(() => room.messages[0]).toMatchObject({ text: "meet me at noon", seal: "open" });
  const outside = new FakeRoom();
  outside.messages = [message];
  expect((await joined(outside)).room.messages[0]).toMatchObject({ text: "", seal: "locked" });
});

test("a status that comes while its drop is being opened waits its turn, and so does all that follows", async () => {
  const server = new FakeRoom();
  const { room } = await joined(server, SECRET);
  const heard: string[] = [];
  room.on("offered", () => heard.push("offered"));
  room.on("status", () => heard.push("status"));
  room.on("joined", () => heard.push("joined"));
  server.people.hear("drop:offered", await offered(400));
  server.people.hear("transfer:status", statusFor("t3", "active"));
  server.people.hear("room:joined", { room: "r", member: { id: "m3", name: "Cy" } });
  expect(heard).toEqual([]);
  await expect.poll(() => heard).toEqual(["offered", "status", "joined"]);
  expect(room.drops[0]?.transfers[3]?.state).toBe("active");
});

test("progress on the wire is told in bytes of the file", async () => {
  const server = new FakeRoom();
  const { room } = await joined(server, SECRET);
  const drop = await room.offer([new File([new Uint8Array(600_000)], "a")]);
  const wire = sealedSize(600_000, 262_144);
  expect((server.of("drop:offer")[0] as Offer).files[0]?.size).toBe(wire);
  const status = statusFor("t0", "active");
  const receivers = [{ member: OTHER.id, state: "receiving" as const, received: 262_160 }];
  server.people.hear("transfer:status", {
    ...status,
    data: { ...status.data, size: wire, sent: wire, receivers },
  });
  const [transfer] = drop.transfers;
  expect([transfer?.size, transfer?.sent, transfer?.receivers[0]?.done]).toEqual([600_000, 600_000, 262_144]);
});

test("a sender that reloads has its names again, and waits for the same file", async () => {
  const server = new FakeRoom();
  const storage = memoryStorage();
  const first = await joined(server, SECRET, storage);
  await first.room.offer([new File(["abc"], "a.txt", { lastModified: 5 })]);
  first.room.close();
  server.drops = [handedOn(server, ME)];
  const second = await joined(server, SECRET, storage);
  expect(second.room.drops[0]?.transfers[0]).toMatchObject({ name: "a.txt", size: 3, stage: "missing" });
  const found = await second.room.supply([new File(["abc"], "a.txt", { lastModified: 5 })]);
  expect(found.map(({ stage }) => stage)).toEqual(["serving"]);
  second.room.close();
  const third = await joined(server, undefined, storage);
  expect(third.room.drops[0]?.transfers[0]).toMatchObject({ seal: "locked", stage: "elsewhere" });
});

test("half a secret refuses the room with a sentence, and nothing is ever said in the open for it", async () => {
  const server = new FakeRoom();
  const { room, up } = enter(server, memoryStorage(), { secret: "half" });
  up();
  await expect(room.joined()).rejects.toMatchObject({ code: "bad_secret" });
  expect(room.state).toBe("refused");
  await expect(room.say("hello")).rejects.toMatchObject({ code: "bad_secret" });
  expect(server.asked).toEqual([]);
  room.enter({ secret: SECRET });
  await room.joined();
});

test("where the browser does not encrypt, the room is refused with a sentence, and joined without the secret", async () => {
  vi.stubGlobal("crypto", {});
  expect(canSeal()).toBe(false);
  const server = new FakeRoom();
  const { room, up } = enter(server, memoryStorage(), { secret: SECRET });
  up();
  await expect(room.joined()).rejects.toMatchObject({ code: "no_crypto" });
  const open = enter(server);
  open.up();
  await open.room.joined();
});

test("a plain download of what is encrypted is refused, and one that opens it is told which it is", async () => {
  const room = await looking(await offered(), SECRET);
  const incoming = room.drops[0]?.transfers[0] as Incoming;
  const started: unknown[] = [];
  const start = (url: string, name: string, which?: Incoming) => started.push(url, name, which);
  await expect(room.accept(incoming, { sink: { kind: "http", start } })).rejects.toMatchObject({
    code: "sealed",
  });
  await room.accept(incoming, { sink: { kind: "http", opensSealed: true, start } });
  expect(started).toEqual(["http://server/transfers/t0/content?token=sink-t0", "plan 0.txt", incoming]);
});

test("a preview that is too large is left out, and the file is offered all the same", async () => {
  const server = new FakeRoom();
  const { room } = await joined(server);
  const preview = (size: number) => new Blob([PNG, new Uint8Array(size)]);
  const files = [7000, 100, ...Array.from({ length: 20 }, () => 5000)];
  await room.offer(
    files.map((size, index) => ({ file: new File([""], `${index}`), preview: preview(size) })),
  );
  const said = (server.of("drop:offer")[0] as Offer).files.map((file) => file.preview?.length ?? 0);
  expect(said.slice(0, 3)).toEqual([0, 143, 6676]);
  expect(said.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(65_536);
  expect(said.filter((length) => length > 0)).toHaveLength(10);
});
