// A sealed download opened on its way: all of it, any part of it, and never well when something is wrong.
import { createBLAKE3 } from "hash-wasm";
import { expect, test } from "vitest";
import { KIB } from "../ChunkSize";
import { blobDigest } from "../digest";
import { TAG, TRAILER } from "./layout";
import { type Hasher, type OpenOptions, openSealed, wireRange } from "./openSealed";
import { RoomSeal } from "./RoomSeal";
import { sealedSource } from "./sealedSource";
import { makeSecret } from "./secret";

const RECORD = KIB;

async function sealed(size: number) {
  const plain = crypto.getRandomValues(new Uint8Array(size));
  const key = await RoomSeal.of(makeSecret(), "r").fileKey(crypto.getRandomValues(new Uint8Array(16)));
  const inner = {
    size,
    read: async (offset: number, len: number) => plain.slice(offset, offset + len),
    digest: () => blobDigest(new Blob([plain])),
  };
  const source = sealedSource(inner, { record: RECORD, key: async () => key }, true);
  return { plain, key, wire: await source.read(0, source.size) };
}

/** What a download has when it ended, and how it ended. */
async function download(wire: Uint8Array, options: OpenOptions, piece = 700) {
  const got: Uint8Array[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < wire.length; at += piece) controller.enqueue(wire.slice(at, at + piece));
      controller.close();
    },
  });
  const reader = body.pipeThrough(openSealed(options)).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { bytes: new Uint8Array(Buffer.concat(got)), end: "well" };
      got.push(value);
    }
  } catch (error) {
    return { bytes: new Uint8Array(Buffer.concat(got)), end: (error as { code: string }).code };
  }
}

async function hasher(): Promise<Hasher> {
  const blake3 = (await createBLAKE3()).init();
  return { update: (bytes) => void blake3.update(bytes), digest: () => `blake3:${blake3.digest("hex")}` };
}

test("a whole file of any size comes as it was, also when its size is not known", async () => {
  for (const size of [0, 1, RECORD - TRAILER, RECORD, RECORD + 1, 3 * RECORD, 4 * RECORD + 9]) {
    const { plain, key, wire } = await sealed(size);
    for (const known of [size, null]) {
      for (const piece of [1, 100, 5000]) {
        const options = { key, record: RECORD, size: known, hasher: await hasher() };
        expect(await download(wire, options, piece)).toEqual({ bytes: plain, end: "well" });
      }
    }
  }
});

test("any part comes as it was, from the records that hold it alone", async () => {
  const { plain, key, wire } = await sealed(5 * RECORD + 33);
  for (let turn = 0; turn < 400; turn += 1) {
    const from = Math.floor(Math.random() * plain.length);
    const to = from + 1 + Math.floor(Math.random() * (plain.length - from));
    const options = { key, record: RECORD, size: plain.length, range: { from, to } };
    const { from: first = 0, to: end = 0 } = wireRange(options) ?? {};
    expect(end - first).toBeLessThanOrEqual(to - from + 2 * RECORD + 6 * TAG);
    expect(await download(wire.slice(first, end), options)).toEqual({
      bytes: plain.slice(from, to),
      end: "well",
    });
  }
});

test("a download with anything missing or changed never ends well, and is never as long as the file", async () => {
  const { plain, key, wire } = await sealed(3 * RECORD + 5);
  const options = { key, record: RECORD, size: plain.length };
  for (let at = 0; at < wire.length; at += 41) {
    const changed = wire.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    for (const wrong of [changed, wire.slice(0, at)]) {
      const { bytes, end } = await download(wrong, options);
      expect(end).toBe("seal_broken");
      expect(bytes.length).toBeLessThan(plain.length);
    }
  }
});

test("a part that is cut off or changed never ends well either", async () => {
  const { plain, key, wire } = await sealed(3 * RECORD);
  const options = { key, record: RECORD, size: plain.length, range: { from: 10, to: 2 * RECORD + 10 } };
  const { to = 0 } = wireRange(options) ?? {};
  const changed = wire.slice(0, to);
  changed[RECORD + TAG + 3] = (changed[RECORD + TAG + 3] ?? 0) ^ 1;
  for (const wrong of [changed, wire.slice(0, to - 1), wire.slice(0, RECORD + TAG), wire.slice(0, 0)]) {
    expect((await download(wrong, options)).end).toBe("seal_broken");
  }
});

test("what does not have the sender's digest is a mismatch, before its last record is given", async () => {
  const { plain, key, wire } = await sealed(2 * RECORD);
  const options = {
    key,
    record: RECORD,
    size: plain.length,
    hasher: { update: () => undefined, digest: () => `blake3:${"00".repeat(32)}` },
  };
  const { bytes, end } = await download(wire, options);
  expect([end, bytes.length]).toEqual(["digest_mismatch", RECORD]);
});
