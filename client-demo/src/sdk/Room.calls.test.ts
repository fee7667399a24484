// Calls that take time, against a fake server: aborted, awaited, iterated.
import { expect, test } from "vitest";
import type { Incoming } from "./Incoming";
import { enter, FakeRoom, incoming, OTHER, offeredBy, status } from "./testing/FakeRoom";

async function joined(server: FakeRoom) {
  const entered = enter(server);
  entered.up();
  await entered.room.joined();
  return entered;
}

test("an offer that is aborted before its answer is cancelled when the answer is there", async () => {
  const server = new FakeRoom();
  const { room } = await joined(server);
  const abort = new AbortController();
  const offering = room.offer([new File(["0"], "a"), new File(["1"], "b")], { signal: abort.signal });
  abort.abort();
  await expect(offering).rejects.toMatchObject({ name: "AbortError" });
  await expect.poll(() => server.of("transfer:cancel")).toEqual([{ transfer: "t0" }, { transfer: "t1" }]);
});

test("a drop whose signal is aborted later is cancelled, as far as it has not ended", async () => {
  const server = new FakeRoom();
  const { room } = await joined(server);
  const abort = new AbortController();
  await room.offer([new File(["0"], "a"), new File(["1"], "b")], { signal: abort.signal });
  server.people.hear("transfer:status", status("t0", "cancelled"));
  abort.abort();
  await expect.poll(() => server.of("transfer:cancel")).toEqual([{ transfer: "t1" }]);
});

test("what was accepted is given up when its signal is aborted", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER, 3)];
  const { room } = await joined(server);
  const abort = new AbortController();
  const [first, second] = incoming(room);
  if (!first || !second) throw new Error("nothing is offered");
  await room.accept([first, second], { signal: abort.signal });
  expect(server.of("transfer:accept")).toEqual([{ transfer: "t0" }, { transfer: "t1" }]);
  abort.abort();
  await expect.poll(() => [first.stage, second.stage]).toEqual(["cancelled", "cancelled"]);
});

test("nothing is asked for a signal that is aborted already", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER)];
  const { room } = await joined(server);
  const signal = AbortSignal.abort(new Error("not today"));
  const asked = server.asked.length;
  await expect(room.say("hello", { signal })).rejects.toThrow("not today");
  await expect(room.offer([new File(["0"], "a")], { signal })).rejects.toThrow("not today");
  await expect(room.accept(incoming(room), { signal })).rejects.toThrow("not today");
  await expect(room.joined({ signal })).rejects.toThrow("not today");
  expect(() => room.fetches.start("http://host/", { signal })).toThrow("not today");
  expect(server.asked).toHaveLength(asked);
});

test("all files of several drops are accepted with a word for each drop", async () => {
  const server = new FakeRoom();
  const other = offeredBy(OTHER, 2);
  const renamed = other.transfers.map((one) => ({ ...one, transfer: `u-${one.transfer}` }));
  server.drops = [offeredBy(OTHER, 2), { ...other, drop: "d2", transfers: renamed }];
  const { room } = await joined(server);
  expect(await room.accept(incoming(room))).toHaveLength(4);
  expect(server.of("transfer:accept")).toEqual([{ drop: "d1" }, { drop: "d2" }]);
});

test("offers are iterated until the room is left", async () => {
  const server = new FakeRoom();
  const { room } = await joined(server);
  const offers = room.each("offered");
  server.people.hear("drop:offered", offeredBy(OTHER));
  const names: string[] = [];
  for await (const drop of offers) {
    names.push(drop.id);
    room.close();
  }
  expect(names).toEqual(["d1"]);
});

test("a transfer can be waited for, and says why it does not come", async () => {
  const server = new FakeRoom();
  server.drops = [offeredBy(OTHER, 3)];
  const { room } = await joined(server);
  const [one, two, three] = incoming(room) as [Incoming, Incoming, Incoming];
  const start = () => undefined;
  await room.accept([one, two, three], { sink: { kind: "http", start } });
  const seen: number[] = [];
  const following = (async () => {
    for await (const { done } of one.updates()) seen.push(done);
  })();
  const all = [one, two, three].map((transfer) => transfer.done());
  server.people.hear("transfer:status", status("t0", "complete", "complete"));
  server.people.hear("transfer:status", status("t1", "cancelled"));
  await expect(all[0]).resolves.toBe(one);
  await expect(all[1]).rejects.toMatchObject({ code: "transfer_closed" });
  await following;
  expect(seen.at(-1)).toBe(10);
  room.close();
  await expect(all[2]).rejects.toMatchObject({ code: "closed" });
  await expect(three.done({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
});
