// Gaps, repeats and windows on a consumer's lane.
import { expect, test } from "vitest";
import { KIB, MIB } from "./ChunkSize";
import { LaneNumbers } from "./LaneNumbers";
import { PATIENCE, SinkLane, WINDOW } from "./SinkLane";

const lanes = () => new LaneNumbers(0, () => 0);

function opened(held = 0, size: number | null = 100 * MIB) {
  const lane = new SinkLane(held, size, lanes());
  const first = lane.start(0);
  if (!first) throw new Error("no pull");
  return { lane, first };
}

test("the first pull asks for a window from what is held", () => {
  expect(opened(5).first).toEqual({ lane: 1, from: 5, limit: 5 + WINDOW });
});

test("the limit never passes the size", () => {
  expect(opened(0, 10).first.limit).toBe(10);
});

test("nothing is pulled when all is here, or there is nothing", () => {
  expect(new SinkLane(10, 10, lanes()).start(0)).toBeUndefined();
  expect(new SinkLane(0, 0, lanes()).start(0)).toBeUndefined();
  expect(new SinkLane(0, 0, lanes()).whole).toBe(true);
  expect(new SinkLane(0, null, lanes()).whole).toBe(false);
});

test("what is received is acknowledged when it is written, and not before", () => {
  const { lane, first } = opened();
  expect(lane.take(first.lane, 0, MIB, 1)).toEqual({ verdict: "write" });
  expect(lane.tick(200)).toBeUndefined();
  expect(lane.wrote(MIB, 2)).toEqual({ lane: 1, from: MIB, limit: MIB + WINDOW });
});

test("an acknowledgement is due every 512 KiB, or after a quiet moment", () => {
  const { lane, first } = opened();
  lane.take(first.lane, 0, 300 * KIB, 1);
  expect(lane.wrote(300 * KIB, 1)).toBeUndefined();
  expect(lane.tick(50)).toBeUndefined();
  expect(lane.tick(101)).toEqual({ lane: 1, from: 300 * KIB, limit: 300 * KIB + WINDOW });
  expect(lane.tick(300)).toBeUndefined();
});

test("a gap gives the lane up, and the next begins from what is held", () => {
  const { lane, first } = opened();
  lane.take(first.lane, 0, 10, 1);
  lane.wrote(10, 1);
  const gap = lane.take(first.lane, 20, 10, 2);
  expect(gap).toEqual({ verdict: "gap", next: { lane: 2, from: 10, limit: 10 + WINDOW } });
  expect(lane.take(first.lane, 30, 10, 3)).toEqual({ verdict: "stale" });
  expect(lane.take(2, 10, 10, 4)).toEqual({ verdict: "write" });
});

test("after a gap the next lane waits until what came before it is written", () => {
  const { lane, first } = opened();
  lane.take(first.lane, 0, 10, 1);
  expect(lane.take(first.lane, 20, 10, 2)).toEqual({ verdict: "gap", next: undefined });
  expect(lane.wrote(10, 3)).toEqual({ lane: 2, from: 10, limit: 10 + WINDOW });
});

test.each([
  ["an overlap", 0, 10],
  ["no bytes", 10, 0],
  ["more than the limit", 10, WINDOW + 1],
])("%s on the lane is a gap too", (_what, offset, len) => {
  const { lane, first } = opened();
  lane.take(first.lane, 0, 10, 1);
  lane.wrote(10, 1);
  expect(lane.take(first.lane, offset, len, 2).verdict).toBe("gap");
});

test("silence with credit brings a new, higher lane", () => {
  const { lane, first } = opened();
  lane.take(first.lane, 0, 10, 100);
  lane.wrote(10, 100);
  lane.tick(300); // the acknowledgement
  for (let now = 1300; now < 300 + PATIENCE; now += 1000) expect(lane.tick(now)).toBeUndefined();
  expect(lane.tick(300 + PATIENCE)).toEqual({ lane: 2, from: 10, limit: 10 + WINDOW });
});

test("a page that stood still has heard nothing by its own fault, and gives no lane up for that", () => {
  const { lane } = opened();
  lane.tick(100);
  expect(lane.tick(60_100)).toBeUndefined();
  let next: unknown;
  for (let now = 61_000; !next && now <= 60_100 + PATIENCE + 1000; now += 100) next = lane.tick(now);
  expect(next).toMatchObject({ lane: 2, from: 0 });
});

test("a hidden tab that ticks once a minute gives a silent lane up at the second", () => {
  const { lane } = opened();
  lane.tick(100);
  expect(lane.tick(60_000)).toBeUndefined();
  expect(lane.tick(120_000)).toMatchObject({ lane: 2 });
});

test("silence is excused while someone pauses", () => {
  const { lane } = opened();
  expect(lane.tick(PATIENCE, false)).toBeUndefined();
  lane.again(PATIENCE);
  expect(lane.tick(PATIENCE + 1)).toBeUndefined();
});

test("chunks of a lost link's lane are stale", () => {
  const { lane, first } = opened();
  lane.close();
  expect(lane.take(first.lane, 0, 10, 1)).toEqual({ verdict: "stale" });
});

test("lane numbers rise across reloads and when the clock goes back", () => {
  const before = new LaneNumbers(0, () => 1000);
  expect([before.next(), before.next()]).toEqual([1000, 1001]);
  expect(new LaneNumbers(0, () => 2000).next()).toBe(2000);
  expect(new LaneNumbers(5000, () => 10).next()).toBe(5001);
  expect(Number.isSafeInteger(new LaneNumbers().next())).toBe(true);
});
