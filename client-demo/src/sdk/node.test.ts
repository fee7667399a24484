// Files on disk, offered and received into.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { blobSource } from "./blobSource";
import { blobDigest } from "./digest";
import { fileAt, fileSink, safeName } from "./node";

const TARGET = { transfer: "t", name: "a.bin", size: 4, type: "" };
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "roomdrop-node-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a file on disk has its name, size and date, and any range of it can be read", async () => {
  const path = join(folder, "a.txt");
  await writeFile(path, "0123456789");
  const file = await fileAt(path);
  expect(file).toMatchObject({ name: "a.txt", size: 10 });
  expect(file.lastModified).toBeGreaterThan(0);
  expect(Buffer.from(await blobSource(file).read(3, 4)).toString()).toBe("3456");
});

test("what is received is a part until it is whole, and its digest is that of the file", async () => {
  const path = join(folder, "a.bin");
  const sink = await fileSink(path).open(TARGET);
  await Promise.all([sink.write(0, Uint8Array.of(1, 2)), sink.write(2, Uint8Array.of(3, 4))]);
  expect(await readdir(folder)).toEqual(["a.bin.part"]);
  const { digest } = await sink.finish();
  expect(await readdir(folder)).toEqual(["a.bin"]);
  expect([...(await readFile(path))]).toEqual([1, 2, 3, 4]);
  expect(digest).toBe(await blobDigest(new Blob([Uint8Array.of(1, 2, 3, 4)])));
  expect((await sink.file()).size).toBe(4);
});

test("a part that is there is gone on from, with the digest of all of it", async () => {
  const path = join(folder, "a.bin");
  const first = await fileSink(path).open(TARGET);
  await first.write(0, Uint8Array.of(1, 2));
  first.close();
  const second = await fileSink(() => path).open(TARGET);
  expect(second.held).toBe(2);
  await second.write(2, Uint8Array.of(3, 4));
  const { digest } = await second.finish();
  expect(digest).toBe(await blobDigest(new Blob([Uint8Array.of(1, 2, 3, 4)])));
});

test("a file that is there is not overwritten, and one that was wrong is removed", async () => {
  const path = join(folder, "a.bin");
  await writeFile(path, "mine");
  await expect(fileSink(path).open(TARGET)).rejects.toMatchObject({ code: "sink_failed" });
  const other = await fileSink(join(folder, "b.bin")).open(TARGET);
  await other.finish();
  await other.discard();
  expect(await readdir(folder)).toEqual(["a.bin"]);
});

test.each([
  ["../../etc/passwd", "_.._etc_passwd"],
  ["C:\\x", "C__x"],
  ["..", "file"],
  ["con.txt", "_con.txt"],
  ["plan\u202etxt.exe", "plan_txt.exe"],
  ["Grüße 你好.pdf", "Grüße 你好.pdf"],
])("the name %j is saved as %j", (name, safe) => {
  expect(safeName(name)).toBe(safe);
});
