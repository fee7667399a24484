// Reading a file in order and out of order, and noticing that it changed.
import { expect, test } from "vitest";
import { blobSource } from "./blobSource";
import { MIB } from "./ChunkSize";
import { blobDigest } from "./digest";

const SIZE = 9 * MIB + 5;
const content = Uint8Array.from({ length: SIZE }, (_, index) => (index * 7) % 253);

/** A blob that counts how often it is sliced. */
function counted(): { blob: Blob; slices: [number, number][] } {
  const blob = new Blob([content]);
  const slices: [number, number][] = [];
  const slice = blob.slice.bind(blob);
  blob.slice = (from = 0, to = 0) => {
    slices.push([from, to]);
    return slice(from, to);
  };
  return { blob, slices };
}

test("any ranges in any order are the file's bytes", async () => {
  const source = blobSource(new Blob([content]));
  const ranges = [
    [0, 100],
    [100, MIB],
    [100 + MIB, 3 * MIB],
    [5, 10],
    [15, MIB],
    [15 + MIB, 4 * MIB],
    [8 * MIB, MIB + 5],
    [SIZE - 1, 1],
  ] as const;
  for (const [offset, len] of ranges) {
    const bytes = await source.read(offset, len);
    expect(Buffer.compare(bytes, content.subarray(offset, offset + len))).toBe(0);
  }
});

test("the first bytes are read alone, those after them ahead", async () => {
  const { blob, slices } = counted();
  const source = blobSource(blob);
  await source.read(0, MIB);
  await source.read(MIB, MIB);
  await source.read(2 * MIB, MIB);
  expect(slices).toEqual([
    [0, MIB],
    [MIB, 5 * MIB],
  ]);
});

test("a file that is shorter than it was is an error, never a short read", async () => {
  const source = blobSource(new Blob([new Uint8Array(10)]));
  await expect(source.read(5, 10)).rejects.toMatchObject({ code: "file_changed" });
});

/** Reads `blob` through a source, in pieces of `piece` from each of `starts` to the end. */
async function readFrom(source: ReturnType<typeof blobSource>, starts: readonly number[]): Promise<void> {
  for (const start of starts) {
    for (let at = start; at < SIZE; at += 300_000) await source.read(at, Math.min(300_000, SIZE - at));
  }
}

test("what was read in order, in parts twice, is not read again for its digest", async () => {
  const { blob, slices } = counted();
  const source = blobSource(blob);
  await source.read(0, 2 * MIB);
  await readFrom(source, [MIB]);
  const before = slices.length;
  expect(await source.digest?.()).toBe(await blobDigest(new Blob([content])));
  expect(await source.digest?.()).toBe(await source.digest?.());
  expect(slices.length).toBe(before);
});

test("what was not read from its start has the same digest, from one more reading", async () => {
  for (const starts of [[5 * MIB], [6 * MIB, 0], []]) {
    const { blob, slices } = counted();
    const source = blobSource(blob);
    await readFrom(source, starts);
    expect(await source.digest?.()).toBe(await blobDigest(new Blob([content])));
    expect(slices.filter(([from]) => from === 0).length).toBeGreaterThanOrEqual(1);
  }
});

test("a source that was closed on its way still tells the digest of all of it", async () => {
  const source = blobSource(new Blob([content]));
  await source.read(0, 5 * MIB);
  source.close?.();
  expect(await source.digest?.()).toBe(await blobDigest(new Blob([content])));
});
