// The protocol's rule for chunk sizes, case by case.
import { expect, test } from "vitest";
import { CHUNK_MAX, CHUNK_MIN, ChunkSize, KIB, MIB } from "./ChunkSize";

const PLENTY = 1024 * MIB;

test("an acknowledgement under a second doubles the size, up to the most there is", () => {
  const size = new ChunkSize(200 * KIB);
  size.acknowledged(999);
  expect(size.next(PLENTY, 0)).toBe(400 * KIB);
  for (let i = 0; i < 10; i += 1) size.acknowledged(0);
  expect(size.next(PLENTY, 0)).toBe(CHUNK_MAX);
});

test("an acknowledgement under two seconds adds 100 KiB, a later one nothing", () => {
  const size = new ChunkSize(200 * KIB);
  size.acknowledged(1000);
  expect(size.size).toBe(300 * KIB);
  size.acknowledged(1999);
  expect(size.size).toBe(400 * KIB);
  size.acknowledged(2000);
  expect(size.size).toBe(400 * KIB);
});

test("each second without an acknowledgement takes 100 KiB off, down to the least there is", () => {
  const size = new ChunkSize(350 * KIB);
  size.secondWithoutAcknowledgement();
  expect(size.size).toBe(250 * KIB);
  for (let i = 0; i < 5; i += 1) size.secondWithoutAcknowledgement();
  expect(size.size).toBe(CHUNK_MIN);
});

test("a chunk is never more than the server takes", () => {
  const size = new ChunkSize(5 * MIB);
  size.bound({ min: 100 * KIB, max: 512 * KIB });
  expect(size.next(PLENTY, 0)).toBe(512 * KIB);
  size.acknowledged(1);
  expect(size.next(PLENTY, 0)).toBe(512 * KIB);
  size.bound({ min: 1, max: 10 });
  expect(size.next(PLENTY, 0)).toBe(10);
});

test("a chunk is never more than a quarter of the credit, as long as that is a chunk at all", () => {
  const size = new ChunkSize(5 * MIB);
  for (const credit of [8 * MIB, 2 * MIB, 400 * KIB + 3]) {
    expect(size.next(credit, 2)).toBe(Math.floor(credit / 4));
  }
});

test("crumbs of credit wait for more while chunks are in flight, and are used up when none are", () => {
  const size = new ChunkSize(5 * MIB);
  expect(size.next(399 * KIB, 1)).toBe(0);
  expect(size.next(399 * KIB, 0)).toBe(CHUNK_MIN);
  expect(size.next(7, 1)).toBe(0);
  expect(size.next(7, 0)).toBe(7);
});

test("without credit there is no chunk", () => {
  expect(new ChunkSize().next(0, 0)).toBe(0);
  expect(new ChunkSize().next(-1, 0)).toBe(0);
});
