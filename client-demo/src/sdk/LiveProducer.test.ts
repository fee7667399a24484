// A live producer against a fake link: what was asked for, as it comes, and an honest end.
import { expect, test, vi } from "vitest";
import { KIB } from "./ChunkSize";
import { LiveProducer } from "./LiveProducer";
import { LiveSource } from "./LiveSource";
import { Openings } from "./Openings";
import type { Chunk } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { FakeLink } from "./testing/FakeLink";

const TRANSFER = "t1";

function until(comes: () => boolean): Promise<boolean> {
  return vi.waitUntil(comes, { timeout: 20_000, interval: 5 });
}

/** A stream that the test fills, and what was taken of it. */
function growing() {
  const waiting: ((value: IteratorResult<Uint8Array>) => void)[] = [];
  const there: IteratorResult<Uint8Array>[] = [];
  const stream = { taken: 0, returned: false };
  const put = (result: IteratorResult<Uint8Array>) => {
    const waits = waiting.shift();
    if (waits) waits(result);
    else there.push(result);
  };
  const bytes: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next() {
        stream.taken += 1;
        const result = there.shift();
        return result ? Promise.resolve(result) : new Promise((resolve) => waiting.push(resolve));
      },
      async return() {
        stream.returned = true;
        return { done: true, value: undefined };
      },
    }),
  };
  const grow = (value: Uint8Array) => put({ done: false, value });
  return Object.assign(stream, { bytes, grow, end: () => put({ done: true, value: undefined }) });
}

function producing(ack: (chunk: Chunk) => Promise<void> | void = () => undefined) {
  const stream = growing();
  const taken: number[] = [];
  const ends: unknown[] = [];
  const said: string[] = [];
  const failures: string[] = [];
  let offset = 0;
  const link = new FakeLink(async (event, say, bytes) => {
    said.push(event);
    if (event === "source:open") return { transfer: TRANSFER, size: null, chunk: { min: 1, max: 64 * KIB } };
    if (event === "source:end") ends.push(say);
    if (event !== "chunk" || !bytes) return {};
    const chunk = say as Chunk;
    await ack(chunk);
    if (chunk.offset !== offset) throw new RoomdropError("unexpected_chunk", "not what was asked for");
    taken.push(...bytes);
    offset += bytes.byteLength;
    return { received: offset };
  });
  link.up = true;
  const producer = new LiveProducer({
    transfer: TRANSFER,
    token: "token",
    source: new LiveSource(stream.bytes),
    link,
    openings: new Openings(link),
    digest: false,
    failed: (error) => failures.push(error.code),
  });
  producer.linkUp();
  const pull = (limit: number, lane = 1, from = 0) =>
    producer.pull({ transfer: TRANSFER, lane, from, limit });
  return { producer, link, stream, taken, ends, said, failures, pull };
}

test("nothing is taken from the stream before someone asks, and then as it comes", async () => {
  const { stream, taken, pull, ends } = producing();
  stream.grow(Uint8Array.of(1, 2));
  await Promise.resolve();
  expect(stream.taken).toBe(0);
  pull(100);
  await until(() => taken.length === 2);
  stream.grow(Uint8Array.of(3));
  await until(() => taken.length === 3);
  expect(ends).toEqual([]);
  stream.end();
  await until(() => ends.length === 1);
  expect(ends).toEqual([{ transfer: TRANSFER, size: 3 }]);
  expect(taken).toEqual([1, 2, 3]);
});

test("it goes as far as its credit and no further", async () => {
  const { stream, taken, pull } = producing();
  stream.grow(new Uint8Array(100 * KIB).fill(7));
  stream.grow(Uint8Array.of(8));
  pull(70 * KIB);
  await until(() => taken.length === 70 * KIB);
  expect(stream.taken).toBe(1);
  pull(200 * KIB);
  await until(() => taken.length === 100 * KIB + 1);
  expect(taken.at(-1)).toBe(8);
});

test("a chunk that finds no room comes again, and what followed it after it", async () => {
  let refusals = 2;
  const { stream, taken, pull, ends, failures } = producing(() => {
    if (refusals-- > 0) throw new RoomdropError("overloaded", "later");
  });
  for (const byte of [1, 2, 3, 4]) stream.grow(Uint8Array.of(byte));
  stream.end();
  pull(100);
  await until(() => ends.length === 1);
  expect(taken).toEqual([1, 2, 3, 4]);
  expect(failures).toEqual([]);
});

test("a link that is lost before the first pull is opened again, one that is lost later ends it", async () => {
  const { producer, link, stream, said, failures, pull, taken } = producing();
  await until(() => said.length === 1);
  link.cut();
  producer.linkDown();
  link.up = true;
  producer.linkUp();
  await until(() => said.length === 2);
  expect(failures).toEqual([]);
  stream.grow(Uint8Array.of(1));
  pull(100);
  await until(() => taken.length === 1);
  link.cut();
  producer.linkDown();
  expect(failures).toEqual(["source_lost"]);
  await until(() => stream.returned);
});

test("a stream that breaks fails the transfer", async () => {
  async function* broken() {
    yield Uint8Array.of(1);
    throw new Error("the microphone was pulled out");
  }
  const said: string[] = [];
  const link = new FakeLink((event) => {
    said.push(event);
    return event === "source:open" ? { transfer: TRANSFER, size: null, chunk: { min: 1, max: 10 } } : {};
  });
  link.up = true;
  const failures: string[] = [];
  const failed = (error: RoomdropError) => failures.push(error.code);
  const source = new LiveSource(broken());
  const openings = new Openings(link);
  const producer = new LiveProducer({
    transfer: TRANSFER,
    token: "t",
    source,
    link,
    openings,
    digest: false,
    failed,
  });
  producer.linkUp();
  producer.pull({ transfer: TRANSFER, lane: 1, from: 0, limit: 100 });
  await until(() => failures.length === 1);
  expect(said).toContain("source:fail");
  expect(said).not.toContain("source:end");
});

test("a ReadableStream is read piece by piece, and let go of when nobody wants it", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => controller.enqueue(Uint8Array.of(1, 2, 3)),
      cancel: () => {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  const source = new LiveSource(stream);
  expect(await source.next(2)).toEqual(Uint8Array.of(1, 2));
  expect(await source.next(2)).toEqual(Uint8Array.of(3));
  source.close();
  await until(() => cancelled);
});
