// Offsets of a sealed file: every size and range there may be, against a slow count by hand.
import { expect, test } from "vitest";
import { KIB } from "../ChunkSize";
import {
  LIVE_RECORD,
  nonceOf,
  plainBefore,
  plainSize,
  RECORD,
  recordStart,
  sealedRange,
  sealedSize,
  TAG,
  TRAILER,
} from "./layout";

const RECORDS = [KIB, LIVE_RECORD, RECORD];

/** Sizes around every edge, and some between. */
function sizes(record: number): number[] {
  const edges = [0, 1, record, 2 * record, 7 * record];
  const near = edges.flatMap((edge) => [edge - 1, edge, edge + 1, edge + TAG, edge + TRAILER, edge + 333]);
  return near.filter((size) => size >= 0);
}

test("the size on the wire is a function of the plain size, and back", () => {
  for (const record of RECORDS) {
    for (const size of sizes(record)) {
      let counted = TRAILER;
      for (let left = size; left > 0; left -= record) counted += Math.min(left, record) + TAG;
      expect(sealedSize(size, record)).toBe(counted);
      expect(plainSize(counted, record)).toBe(size);
    }
  }
});

test("no size is made up for what no sealed file can have", () => {
  for (const record of RECORDS) {
    expect(plainSize(TRAILER - 1, record)).toBeUndefined();
    for (let tag = 1; tag <= TAG; tag += 1) {
      expect(plainSize(TRAILER + tag, record)).toBeUndefined();
      expect(plainSize(recordStart(3, record) + TRAILER + tag, record)).toBeUndefined();
    }
  }
});

test("the records of a range hold all of it, and no record more", () => {
  const record = KIB;
  for (const size of sizes(record).filter((one) => one > 0)) {
    const whole = Array.from({ length: Math.ceil(size / record) }, (_, index) => index);
    for (let from = 0; from < size; from += 97) {
      for (let to = from + 1; to <= size; to += 131) {
        const holding = whole.filter((index) => index * record < to && (index + 1) * record > from);
        const [first = 0, last = 0] = [holding[0], holding.at(-1)];
        const lastBytes = Math.min(record, size - last * record) + TAG;
        expect(sealedRange(from, to, size, record)).toEqual({
          from: recordStart(first, record),
          to: recordStart(last, record) + lastBytes,
        });
      }
    }
  }
});

test("progress on the wire is progress of the file, and never beyond its size", () => {
  for (const size of sizes(KIB)) {
    let before = 0;
    for (let sealed = 0; sealed <= sealedSize(size, KIB); sealed += 1) {
      const now = plainBefore(sealed, KIB, size);
      expect(now).toBeGreaterThanOrEqual(before);
      expect(now).toBeLessThanOrEqual(size);
      before = now;
    }
    expect(before).toBe(size);
  }
});

test("no two records have one nonce, in the largest file there may be either", () => {
  const indexes = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 45];
  const nonces = indexes.flatMap((index) =>
    (["data", "digest", "plain"] as const).map((kind) => Buffer.from(nonceOf(index, kind)).toString("hex")),
  );
  expect(new Set(nonces).size).toBe(nonces.length);
  expect(Buffer.from(nonceOf(2 ** 32 + 2, "digest")).toString("hex")).toBe("000000000000010000000201");
});
