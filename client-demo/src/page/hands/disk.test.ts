/** Where received bytes go, for each browser, each size and each room that is left. */
import { expect, test } from "vitest";
import { type Place, type Plan, plansFor } from "./disk";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const usual: Place = { free: 100 * GIB, opfs: true, worker: true };

function planFor(size: number | null, sealed: boolean, place: Partial<Place> = {}): Plan | undefined {
  return plansFor([{ size, sealed }], { ...usual, ...place })[0];
}

test("small files go to memory, large ones to disk", () => {
  for (const sealed of [false, true]) {
    expect(planFor(0, sealed)).toBe("memory");
    expect(planFor(16 * MIB, sealed)).toBe("memory");
    expect(planFor(16 * MIB + 1, sealed)).toBe("opfs");
    expect(planFor(50 * GIB, sealed)).toBe("opfs");
  }
});

test("what does not fit is left to the browser's download, which opens sealed files on the way", () => {
  expect(planFor(2 * GIB, false, { free: GIB })).toBe("http");
  expect(planFor(2 * GIB, true, { free: GIB })).toBe("worker");
  expect(planFor(GIB, false, { free: GIB })).toBe("http"); // not a disk's last byte
});

test("without a private file system, middling files go to memory and large ones to the download", () => {
  expect(planFor(100 * MIB, false, { opfs: false })).toBe("memory");
  expect(planFor(2 * GIB, false, { opfs: false })).toBe("http");
  expect(planFor(2 * GIB, true, { opfs: false })).toBe("worker");
});

test("what fits nowhere is not accepted", () => {
  expect(planFor(2 * GIB, true, { free: GIB, worker: false })).toBe("nothing");
  expect(planFor(2 * GIB, true, { opfs: false, worker: false })).toBe("nothing");
  expect(planFor(100 * MIB, true, { opfs: false, worker: false })).toBe("memory");
});

test("a stream whose end is not known is downloaded as it comes", () => {
  expect(planFor(null, false)).toBe("http");
  expect(planFor(null, true)).toBe("worker");
  expect(planFor(null, true, { worker: false })).toBe("opfs");
});

test("files of one drop share the room that is left", () => {
  const needs = [1, 2, 3].map(() => ({ size: 400 * MIB, sealed: false }));
  expect(plansFor(needs, { ...usual, free: GIB })).toEqual(["opfs", "opfs", "http"]);
});
