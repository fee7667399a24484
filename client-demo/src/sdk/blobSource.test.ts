// Reading a file in order and out of order, and noticing that it changed.
import { expect, test } from "vitest";
import { blobSource } from "./blobSource";
import { MIB } from "./ChunkSize";

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
