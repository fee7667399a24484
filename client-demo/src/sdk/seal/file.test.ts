// A whole file sealed by its source and opened by its sink, in pieces of any size, interrupted, and tampered with.
import { expect, test, vi } from "vitest";
import { KIB } from "../ChunkSize";
import { memorySink } from "../memorySink";
import type { RoomdropError } from "../RoomdropError";
import type { Sink, SinkOpener } from "../Sink";
import type { Source } from "../Source";
import { recordStart, sealedSize, TAG, TRAILER } from "./layout";
import { RoomSeal } from "./RoomSeal";
import type { Sealing } from "./records";
import { sealedOpener } from "./sealedSink";
import { sealedSource } from "./sealedSource";
import { sealedStream } from "./sealedStream";
import { makeSecret } from "./secret";

// Here the digest is what a test says it is, and not computed along the way.
vi.mock("../digest", () => ({ StreamHash: { start: () => undefined }, blobDigest: async () => undefined }));

const RECORD = KIB;
const DIGEST = `blake3:${"5a".repeat(32)}`;
const OTHER = `blake3:${"00".repeat(32)}`;

function sealing(record = RECORD): Sealing {
  const seal = RoomSeal.of(makeSecret(), "r");
  const key = seal.fileKey(crypto.getRandomValues(new Uint8Array(16)));
  return { record, key: () => key };
}

function source(plain: Uint8Array, digest: string | undefined): Source & { reads: number } {
  return {
    size: plain.length,
    reads: 0,
    async read(offset, len) {
      this.reads += 1;
      return plain.slice(offset, offset + len);
    },
    digest: async () => digest,
  };
}

function random(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

async function sealed(plain: Uint8Array, how: Sealing, digest = DIGEST) {
  const from = sealedSource(source(plain, digest || undefined), how, true);
  return { from, bytes: (await from.read(0, from.size)) as Uint8Array<ArrayBuffer> };
}

/** A sink as the private file system is: what was written stays for the next that opens it. */
class Disk implements SinkOpener {
  readonly kind = "disk";
  bytes = new Uint8Array(0);
  digest: string | undefined;

  async open(): Promise<Sink> {
    return {
      held: this.bytes.length,
      write: async (offset, bytes) => {
        expect(offset).toBeLessThanOrEqual(this.bytes.length);
        const grown = new Uint8Array(Math.max(this.bytes.length, offset + bytes.length));
        grown.set(this.bytes);
        grown.set(bytes, offset);
        this.bytes = grown;
      },
      finish: async () => ({ digest: this.digest }),
      file: async () => new Blob([this.bytes]),
      close: () => undefined,
      discard: async () => undefined,
    };
  }
}

function open(disk: SinkOpener, how: Sealing, size: number | null): Promise<Sink> {
  const target = { transfer: "t", name: "a", size, type: "text/plain" };
  return sealedOpener(disk, how, target).open(target);
}

/** Writes `bytes` from what `sink` holds on, in pieces of `piece`, all at once as chunks come. */
async function pour(sink: Sink, bytes: Uint8Array, piece: number): Promise<void> {
  const writes: Promise<void>[] = [];
  for (let at = sink.held; at < bytes.length; at += piece) {
    writes.push(sink.write(at, bytes.slice(at, at + piece)));
  }
  await Promise.all(writes);
}

const SIZES = [0, 1, RECORD - TRAILER, RECORD - 1, RECORD, RECORD + 1, 3 * RECORD, 5 * RECORD + 17];

test("a file of any size comes back, in pieces of any size, and only what is sealed is on the wire", async () => {
  for (const size of SIZES) {
    const [plain, how] = [random(size), sealing()];
    const { bytes } = await sealed(plain, how);
    expect(bytes.length).toBe(sealedSize(size, RECORD));
    for (const piece of [1, 47, 48, 49, RECORD, RECORD + TAG, 10 * RECORD]) {
      const disk = new Disk();
      const sink = await open(disk, how, size);
      await pour(sink, bytes, piece);
      expect(await sink.finish()).toEqual({ digest: undefined, verified: true });
      expect(disk.bytes).toEqual(plain);
    }
  }
});

test("every range is cut from the same bytes, in any order, and again after a reload", async () => {
  const [plain, how] = [random(4 * RECORD + 100), sealing()];
  const { bytes, from } = await sealed(plain, how);
  const again = sealedSource(source(plain, DIGEST), how, true);
  for (let turn = 0; turn < 300; turn += 1) {
    const offset = Math.floor(Math.random() * bytes.length);
    const len = 1 + Math.floor(Math.random() * Math.min(3000, bytes.length - offset - 1));
    expect(await from.read(offset, len)).toEqual(bytes.slice(offset, offset + len));
    expect(await again.read(offset, len)).toEqual(bytes.slice(offset, offset + len));
  }
});

test("chunks that cut a record do not seal it twice", async () => {
  const plain = source(random(8 * RECORD), DIGEST);
  const from = sealedSource(plain, sealing(), true);
  for (let at = 0; at < from.size - TRAILER; at += 300) {
    await from.read(at, Math.min(300, from.size - TRAILER - at));
  }
  expect(plain.reads).toBe(8);
});

test("a receiver that comes back goes on from the whole records that it holds", async () => {
  const [plain, how] = [random(6 * RECORD + 5), sealing()];
  const { bytes } = await sealed(plain, how);
  for (const cut of [0, 100, 2 * RECORD + 7, recordStart(3, RECORD), bytes.length - 10, bytes.length]) {
    const disk = new Disk();
    const first = await open(disk, how, plain.length);
    await pour(first, bytes.subarray(0, cut), 700);
    const held = disk.bytes.length;
    const second = await open(disk, how, plain.length);
    expect(second.held).toBe(recordStart(Math.floor(held / RECORD), RECORD));
    await pour(second, bytes, 700);
    await second.finish();
    expect(disk.bytes).toEqual(plain);
  }
});

test("what was half written, as by a page that was killed, is written again", async () => {
  const [plain, how] = [random(3 * RECORD), sealing()];
  const { bytes } = await sealed(plain, how);
  const disk = new Disk();
  disk.bytes = plain.slice(0, RECORD + 100);
  const sink = await open(disk, how, plain.length);
  expect(sink.held).toBe(recordStart(1, RECORD));
  await pour(sink, bytes, 555);
  await sink.finish();
  expect(disk.bytes).toEqual(plain);
});

async function codeOf(task: Promise<unknown>): Promise<string> {
  return task.then(
    () => "none",
    (error: RoomdropError) => error.code,
  );
}

/** What becomes of `bytes`: the code it fails with, and what was kept. */
async function fate(bytes: Uint8Array, how: Sealing, size: number | null, digest?: string) {
  const disk = new Disk();
  disk.digest = digest;
  const sink = await open(disk, how, size);
  const code = await codeOf(pour(sink, bytes, 700).then(() => sink.finish()));
  return { code, kept: disk.bytes };
}

test("a changed bit is found, wherever it is, and nothing of its record is kept", async () => {
  const [plain, how] = [random(3 * RECORD + 50), sealing()];
  const { bytes } = await sealed(plain, how);
  for (let at = 0; at < bytes.length; at += 61) {
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x80;
    const { code, kept } = await fate(changed, how, plain.length);
    expect(code).toBe("seal_broken");
    const good = at >= bytes.length - TRAILER ? plain.length : Math.floor(at / (RECORD + TAG)) * RECORD;
    expect(kept).toEqual(plain.slice(0, good));
  }
});

test("records in another order, twice, from another file, or left out are found", async () => {
  const [plain, how] = [random(4 * RECORD), sealing()];
  const { bytes } = await sealed(plain, how);
  const other = await sealed(plain, sealing());
  const step = RECORD + TAG;
  const part = (from: Uint8Array, index: number) => from.subarray(index * step, (index + 1) * step);
  const trailer = bytes.subarray(4 * step);
  const mixed = (parts: Uint8Array[]) => new Uint8Array(Buffer.concat([...parts, trailer]));
  const [a, b, c, d] = [part(bytes, 0), part(bytes, 1), part(bytes, 2), part(bytes, 3)];
  for (const parts of [[b, a, c, d], [a, b, b, d], [a, b, c], [], [a, b, part(other.bytes, 2), d]]) {
    expect((await fate(mixed(parts), how, plain.length)).code).toBe("seal_broken");
    expect((await fate(mixed(parts), how, null)).code).toBe("seal_broken");
  }
  expect((await fate(mixed([a, b, c, d]), how, null)).code).toBe("none");
});

test("a file that ends too early never ends well, wherever it was cut off", async () => {
  const [plain, how] = [random(2 * RECORD + 80), sealing()];
  const { bytes } = await sealed(plain, how);
  for (let end = 0; end < bytes.length; end += 37) {
    expect((await fate(bytes.slice(0, end), how, null)).code).toBe("seal_broken");
  }
});

test("a digest that is not that of what is held is a mismatch; one that nobody can tell is not", async () => {
  const [plain, how] = [random(RECORD), sealing()];
  const told = await sealed(plain, how, DIGEST);
  const silent = await sealed(plain, how, "");
  expect((await fate(told.bytes, how, plain.length, DIGEST)).code).toBe("none");
  expect((await fate(told.bytes, how, plain.length, OTHER)).code).toBe("digest_mismatch");
  expect((await fate(told.bytes, how, plain.length, undefined)).code).toBe("none");
  expect((await fate(silent.bytes, how, plain.length, OTHER)).code).toBe("none");
});

test("a trailer with a digest and one without never share a nonce", async () => {
  const [plain, how] = [random(10), sealing()];
  const told = (await sealed(plain, how, `blake3:${"00".repeat(32)}`)).bytes;
  const silent = (await sealed(plain, how, "")).bytes;
  expect(told.subarray(-TRAILER)).not.toEqual(silent.subarray(-TRAILER));
});

test("a live stream is sealed as it comes, and opens as a file of the size that it had", async () => {
  for (const size of SIZES) {
    const [plain, how] = [random(size), sealing()];
    async function* pieces() {
      for (let at = 0; at < size; at += 333) yield plain.subarray(at, at + 333);
    }
    const out: Uint8Array[] = [];
    for await (const piece of sealedStream(pieces(), how, false)) out.push(piece.slice());
    const bytes = new Uint8Array(Buffer.concat(out));
    expect(bytes.length).toBe(sealedSize(size, RECORD));
    const { code, kept } = await fate(bytes, how, null);
    expect([code, kept]).toEqual(["none", plain]);
  }
});

test("a live stream that nobody wants is let go of before its first byte too", async () => {
  let state = "open";
  const stream = new ReadableStream<Uint8Array>({
    cancel() {
      state = "closed";
    },
  });
  const iterator = sealedStream(stream, sealing(), false)[Symbol.asyncIterator]();
  await iterator.return?.();
  await expect.poll(() => state).toBe("closed");
});

test("what is received is the inner sink's own file, of the plain type", async () => {
  const [plain, how] = [random(3000), sealing()];
  const { bytes } = await sealed(plain, how);
  const sink = await open(memorySink({ digest: false }), how, plain.length);
  await pour(sink, bytes, 500);
  await sink.finish();
  const file = await sink.file();
  expect(file.type).toBe("text/plain");
  expect(new Uint8Array(await file.arrayBuffer())).toEqual(plain);
});
