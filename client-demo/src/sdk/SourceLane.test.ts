// Credit and order on a producer's lane.
import { expect, test } from "vitest";
import { SourceLane } from "./SourceLane";

test("credit ends at the limit and at the end of the file", () => {
  const lane = new SourceLane(1, 10, 50);
  expect(lane.credit(1000)).toBe(40);
  expect(lane.credit(30)).toBe(20);
  lane.sent(40);
  expect(lane.credit(1000)).toBe(0);
});

test("a later pull raises the limit and never lowers it or goes back", () => {
  const lane = new SourceLane(1, 0, 50);
  lane.sent(50);
  lane.pulled(20, 80);
  expect([lane.next, lane.credit(1000)]).toEqual([50, 30]);
  lane.pulled(20, 60);
  expect(lane.credit(1000)).toBe(30);
});

test("after a refusal nothing is sent until the server pulls again, from where it says", () => {
  const lane = new SourceLane(1, 0, 50);
  lane.sent(50);
  lane.refused(lane.run);
  expect([lane.state, lane.credit(1000)]).toEqual(["refused", 0]);
  lane.pulled(10, 40);
  expect([lane.state, lane.next, lane.credit(1000)]).toEqual(["serving", 10, 30]);
});

test("a late refusal does not end the run that began after it", () => {
  const lane = new SourceLane(1, 0, 50);
  const old = lane.run;
  lane.refused(old);
  lane.pulled(0, 50);
  lane.refused(old);
  expect(lane.state).toBe("serving");
});

test("a stopped lane stays stopped", () => {
  const lane = new SourceLane(1, 0, 50);
  lane.stop();
  lane.pulled(0, 100);
  lane.again(0);
  expect([lane.state, lane.credit(1000)]).toEqual(["stopped", 0]);
});
