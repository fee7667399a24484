// A producer against a fake link: what was asked for, and nothing else.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { breathe } from "./breathe";
import { KIB, MIB } from "./ChunkSize";
import { Openings } from "./Openings";
import { Producer } from "./Producer";
import type { Chunk } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import type { Source } from "./Source";
import { FakeLink } from "./testing/FakeLink";

const SIZE = 20 * MIB;
const TRANSFER = "t1";

/** A file whose every byte tells its offset. */
const content = Uint8Array.from({ length: SIZE }, (_, index) => index % 251);

function patterned(size = SIZE): Source {
  return { size, read: async (offset, len) => content.subarray(offset, offset + len) };
}

/** Patient, since the machine may be busy; a condition that never comes true fails all the same. */
function until(comes: () => boolean): Promise<boolean> {
  return vi.waitUntil(comes, { timeout: 20_000, interval: 5 });
}

interface Sent extends Chunk {
  bytes: Uint8Array;
}

/** A producer on a link that records what it sends and acknowledges as `ack` says. */
function producing(
  source: Source = patterned(),
  ack: (chunk: Chunk) => Promise<void> | void = () => undefined,
) {
  const sent: Sent[] = [];
  const said: string[] = [];
  const failures: string[] = [];
  const link = new FakeLink(async (event, say, bytes) => {
    said.push(event);
    if (event === "source:open") {
      return { transfer: TRANSFER, size: source.size, chunk: { min: 100 * KIB, max: 5 * MIB } };
    }
    if (event !== "chunk" || !bytes) return {};
    const chunk = say as Chunk;
    sent.push({ ...chunk, bytes });
    await ack(chunk);
    return { received: chunk.offset + bytes.byteLength };
  });
  link.up = true;
  const producer = new Producer({
    transfer: TRANSFER,
    token: "token",
    source,
    link,
    openings: new Openings(link),
    digest: true,
    failed: (error) => failures.push(error.code),
  });
  producer.linkUp();
  const pull = (lane: number, from: number, limit: number) =>
    producer.pull({ transfer: TRANSFER, lane, from, limit });
  const end = (lane: number) =>
    sent.filter((one) => one.lane === lane).reduce((_, one) => one.offset + one.bytes.byteLength, 0);
  return { producer, link, sent, said, failures, pull, end };
}

/** Chunks of a lane in order, without gap or overlap, from `from` to `to`, and with the file's bytes. */
function expectServed(sent: readonly Sent[], lane: number, from: number, to: number): void {
  let next = from;
  for (const chunk of sent.filter((one) => one.lane === lane)) {
    expect(chunk.offset).toBe(next);
    expect([chunk.bytes[0], chunk.bytes.at(-1)]).toEqual([
      next % 251,
      (next + chunk.bytes.byteLength - 1) % 251,
    ]);
    next += chunk.bytes.byteLength;
  }
  expect(next).toBe(to);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

test("a pull is served in order, without gap, and not beyond its limit", async () => {
  const { sent, pull, end } = producing();
  pull(1, 0, 8 * MIB);
  await until(() => end(1) === 8 * MIB);
  expectServed(sent, 1, 0, 8 * MIB);
});

test("a higher limit goes on where the lane was, up to the end of the file", async () => {
  const { sent, pull, end } = producing();
  pull(1, 3, 8 * MIB);
  await until(() => end(1) === 8 * MIB);
  pull(1, 5 * MIB, 100 * MIB);
  await until(() => end(1) === SIZE);
  expectServed(sent, 1, 3, SIZE);
});

test("several lanes run at once, each from its own offset", async () => {
  const { sent, pull, end } = producing(patterned(), () => new Promise((done) => setTimeout(done, 10)));
  pull(1, 0, 2 * MIB);
  pull(2, 10 * MIB, 12 * MIB);
  pull(3, 5, 6);
  await until(() => {
    vi.advanceTimersByTime(10);
    return end(1) === 2 * MIB && end(2) === 12 * MIB && end(3) === 6;
  });
  expectServed(sent, 1, 0, 2 * MIB);
  expectServed(sent, 2, 10 * MIB, 12 * MIB);
  expectServed(sent, 3, 5, 6);
  expect(sent.findIndex((one) => one.lane === 2)).toBeLessThan(sent.findLastIndex((one) => one.lane === 1));
});

test("four times the paced size may wait for its acknowledgement, in pieces of a quarter mebibyte", async () => {
  const acks: (() => void)[] = [];
  const { sent, pull } = producing(patterned(), () => new Promise((done) => acks.push(done)));
  pull(1, 0, SIZE);
  await until(() => sent.length === 4);
  await breathe();
  expect(sent).toHaveLength(4);
  acks[0]?.(); // the size doubles
  await until(() => sent.length === 9);
  await breathe();
  expect(sent).toHaveLength(9);
  expect(new Set(sent.map(({ bytes }) => bytes.byteLength))).toEqual(new Set([256 * KIB]));
});

test("a stopped lane sends nothing more", async () => {
  const acks: (() => void)[] = [];
  const { producer, sent, pull, end } = producing(patterned(), () => new Promise((done) => acks.push(done)));
  pull(1, 0, SIZE);
  await until(() => sent.length === 4);
  producer.stop({ transfer: TRANSFER, lane: 1 });
  for (const ack of acks) ack();
  pull(2, 0, 10);
  await until(() => end(2) === 10);
  expect(sent.filter((one) => one.lane === 1)).toHaveLength(4);
});

test("a refused chunk ends the lane until the server pulls again", async () => {
  let refuse = true;
  const { sent, pull, failures } = producing(patterned(), () => {
    if (refuse) throw new RoomdropError("unexpected_chunk", "not asked for");
  });
  pull(1, 0, 50 * KIB);
  await until(() => sent.length === 1);
  pull(2, 0, 10);
  await until(() => sent.length === 2);
  refuse = false;
  pull(1, 20 * KIB, 60 * KIB);
  await until(() => sent.length === 3);
  expect(sent[2]).toMatchObject({ lane: 1, offset: 20 * KIB });
  expect(sent[2]?.bytes.byteLength).toBe(40 * KIB);
  expect(failures).toEqual([]);
});

test("an overloaded server gets the same chunk again after a moment", async () => {
  let tries = 0;
  const { sent, pull } = producing(patterned(), () => {
    tries += 1;
    if (tries === 1) throw new RoomdropError("overloaded", "later");
  });
  pull(1, 0, 50 * KIB);
  await until(() => {
    vi.advanceTimersByTime(1000);
    return sent.length === 2;
  });
  expect(sent.map(({ offset, bytes }) => [offset, bytes.byteLength])).toEqual([
    [0, 50 * KIB],
    [0, 50 * KIB],
  ]);
});

test("a file that can't be read any more is told to the server, and ends the transfer here", async () => {
  const source = { ...patterned(), read: () => Promise.reject(new RoomdropError("file_changed", "changed")) };
  const { said, failures, pull } = producing(source);
  pull(1, 0, 10);
  await until(() => failures.length > 0);
  expect(failures).toEqual(["file_changed"]);
  await until(() => said.includes("source:fail"));
});

test("after a lost link it opens again and serves what is pulled then, and nothing of before", async () => {
  const acks: (() => void)[] = [];
  const { producer, link, sent, said, pull } = producing(
    patterned(),
    () => new Promise((done) => acks.push(done)),
  );
  pull(1, 0, SIZE);
  await until(() => sent.length === 4);
  link.cut();
  producer.linkDown();
  link.up = true;
  producer.linkUp();
  pull(2, 7, 17);
  await until(() => sent.some((one) => one.lane === 2));
  expect(said.filter((event) => event === "source:open")).toHaveLength(2);
  expect(sent.filter((one) => one.lane === 1)).toHaveLength(4);
  expect(sent.at(-1)).toMatchObject({ lane: 2, offset: 7 });
});

test("it still serves after the last byte, since someone may accept late", async () => {
  const { sent, pull, end } = producing(patterned(10));
  pull(1, 0, 10);
  await until(() => end(1) === 10);
  pull(2, 0, 10);
  await until(() => end(2) === 10);
  expectServed(sent, 2, 0, 10);
});

test("the digest is computed after the first chunk is through, and told again until it was heard", async () => {
  const order: string[] = [];
  const source: Source = {
    ...patterned(10),
    digest: async () => {
      order.push("digest");
      return "blake3:00";
    },
  };
  const { producer, link, said, pull } = producing(source, () => {
    order.push("chunk");
    link.cut();
  });
  pull(1, 0, 10);
  await until(() => order.includes("chunk"));
  producer.linkDown();
  link.up = true;
  producer.linkUp();
  pull(2, 0, 10);
  link.cut = () => undefined;
  await until(() => said.includes("source:end"));
  expect(order).toEqual(["chunk", "chunk", "digest"]);
});
