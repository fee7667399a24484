// A consumer against a fake link: every byte once, whatever the link does.
import { expect, test } from "vitest";
import { blobSource } from "./blobSource";
import { KIB, MIB } from "./ChunkSize";
import { Consumer } from "./Consumer";
import { memorySink } from "./memorySink";
import { Producer } from "./Producer";
import type { Status } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import type { Sink, SinkOpener } from "./Sink";
import { FakeRelay, TRANSFER } from "./testing/FakeRelay";

const SIZE = 20 * MIB + 17;
const MEMBER = "me";

const content = Uint8Array.from({ length: SIZE }, (_, index) => (index * 7) % 253);

interface Meeting {
  relay: FakeRelay;
  producer: Producer;
  consumer: Consumer;
  /** The sink, once the consumer said it is done. */
  done: Promise<Sink>;
  held: () => number;
  /** What it said of the end, in order. */
  checks: string[];
}

/** A producer and a consumer, with a relay between them. */
async function meet(
  size = SIZE,
  opener: SinkOpener = memorySink({ digest: false }),
  window?: number,
): Promise<Meeting> {
  const relay = new FakeRelay(size, window);
  const blob = new Blob([content.subarray(0, size)]);
  const producer = new Producer({
    transfer: TRANSFER,
    token: "source",
    source: blobSource(blob),
    link: relay.source,
    openings: relay.sources.openings,
    digest: false,
    failed: () => undefined,
  });
  let held = 0;
  const checks: string[] = [];
  let consumer: Consumer | undefined;
  const done = new Promise<Sink>((resolve, reject) => {
    consumer = new Consumer({
      target: { transfer: TRANSFER, name: "a", size, type: "text/plain" },
      token: "sink",
      opener,
      link: relay.sink,
      openings: relay.sinks.openings,
      member: MEMBER,
      moved: (now) => {
        held = now;
      },
      verifying: () => checks.push("verifying"),
      done: (sink) => {
        checks.push("done");
        resolve(sink);
      },
      verified: () => checks.push("verified"),
      failed: (error) => {
        checks.push("failed");
        reject(error);
      },
    });
  });
  done.catch(() => undefined);
  if (!consumer) throw new Error("no consumer");
  await consumer.prepare();
  relay.sources.add(TRANSFER, producer);
  relay.sinks.add(TRANSFER, consumer);
  return { relay, producer, consumer, done, held: () => held, checks };
}

async function expectContent(sink: Sink, size = SIZE): Promise<void> {
  const got = new Uint8Array(await (await sink.file()).arrayBuffer());
  expect(got.byteLength).toBe(size);
  expect(Buffer.compare(got, content.subarray(0, size))).toBe(0);
}

/** A sink that outlives the page, as the private file system does: what was written is there when reopened. */
function lastingSink(): SinkOpener & { opened: number[] } {
  let stored = new Uint8Array();
  const opened: number[] = [];
  return {
    kind: "lasting",
    opened,
    async open() {
      opened.push(stored.byteLength);
      return {
        held: stored.byteLength,
        async write(offset, bytes) {
          if (offset !== stored.byteLength) throw new Error("a gap");
          stored = new Uint8Array(Buffer.concat([stored, bytes]));
        },
        finish: async () => ({ digest: undefined }),
        file: async () => new Blob([stored]),
        close() {},
        async discard() {
          stored = new Uint8Array();
        },
      };
    },
  };
}

test("what is sent arrives, byte for byte, and the server is told when it is held", async () => {
  const { relay, done } = await meet();
  relay.up("source");
  relay.up("sink");
  await expectContent(await done);
  expect(relay.done).toEqual({ transfer: TRANSFER });
  expect(relay.refusals).toBe(0);
});

test("an empty file is complete at once", async () => {
  const { relay, done } = await meet(0);
  relay.up("sink");
  await expectContent(await done, 0);
  expect(relay.pulls).toEqual([]);
});

test("each pull acknowledges at most a mebibyte more, and never what was not written", async () => {
  const { relay, done, held } = await meet(SIZE, memorySink(), 8 * MIB);
  let last = 0;
  relay.onChunk = () => {
    const { from, limit } = relay.pulls.at(-1) ?? { from: 0, limit: 0 };
    expect(from).toBeLessThanOrEqual(held());
    expect(from).toBeGreaterThanOrEqual(last);
    expect(limit).toBeLessThanOrEqual(from + 8 * MIB);
    last = from;
  };
  relay.up("sink");
  relay.up("source");
  await done;
  expect(relay.pulls.length).toBeGreaterThan(10);
});

test("a server that grants only little is asked again after a quiet moment", async () => {
  const { relay, done } = await meet(300 * KIB, memorySink(), 100 * KIB);
  relay.up("source");
  relay.up("sink");
  await expectContent(await done, 300 * KIB);
});

test("a lost chunk is a gap: a new, higher lane begins from what is held", async () => {
  const { relay, done } = await meet();
  let first = 0;
  relay.onChunk = (offset) => {
    if (offset > 5 * MIB && first === 0) {
      first = offset;
      relay.lose.add(offset);
    }
  };
  relay.up("source");
  relay.up("sink");
  await expectContent(await done);
  const lanes = [...new Set(relay.pulls.map(({ lane }) => lane))];
  expect(lanes).toHaveLength(2);
  expect(lanes[1]).toBeGreaterThan(lanes[0] ?? 0);
  expect(relay.pulls.find(({ lane }) => lane === lanes[1])?.from).toBe(first);
});

test.each(["sink", "source"] as const)("a %s whose link is cut goes on from what is held", async (side) => {
  const { relay, done } = await meet();
  let cuts = 0;
  relay.onChunk = (_offset, end) => {
    if (end > (cuts + 1) * 5 * MIB && cuts < 3) {
      cuts += 1;
      relay.cut(side);
      setTimeout(() => relay.up(side));
    }
  };
  relay.up("source");
  relay.up("sink");
  await expectContent(await done);
  expect(cuts).toBe(3);
  const lanes = relay.pulls.map(({ lane }) => lane);
  expect(lanes).toEqual([...lanes].sort((a, b) => a - b));
});

test("a reload goes on from what the sink still holds", async () => {
  const opener = lastingSink();
  const first = await meet(SIZE, opener);
  await new Promise<void>((reloaded) => {
    first.relay.onChunk = (_offset, end) => {
      if (end > 5 * MIB) {
        first.relay.cut("sink");
        first.consumer.close();
        reloaded();
      }
    };
    first.relay.up("source");
    first.relay.up("sink");
  });
  const second = await meet(SIZE, opener);
  second.relay.up("source");
  second.relay.up("sink");
  await expectContent(await second.done);
  expect(opener.opened[1]).toBeGreaterThan(MIB);
  expect(second.relay.pulls[0]?.from).toBe(opener.opened[1]);
});

test("done is said again on a new link until the server has heard it", async () => {
  const { relay, done } = await meet(10);
  relay.sources.link.on("pull", () => undefined);
  const finish = relay.sink.ask.bind(relay.sink);
  let cut = false;
  relay.sink.ask = async (event, say, bytes) => {
    if (event === "sink:done" && !cut) {
      cut = true;
      relay.cut("sink");
      setTimeout(() => relay.up("sink"));
      throw new RoomdropError("disconnected", "cut");
    }
    return finish(event, say, bytes);
  };
  relay.up("source");
  relay.up("sink");
  await done;
  expect(cut).toBe(true);
  expect(relay.done).toEqual({ transfer: TRANSFER });
});

test("bytes whose digest is wrong are discarded, and it fails with the server hearing why", async () => {
  const opener = lastingSink();
  const hashed: SinkOpener = {
    kind: "hashed",
    open: async (target) => {
      const sink = await opener.open(target);
      return { ...sink, finish: async () => ({ digest: "blake3:aa" }) };
    },
  };
  const { relay, consumer, done } = await meet(10, hashed);
  consumer.end({ transfer: TRANSFER, size: 10, digest: "blake3:bb" });
  relay.up("source");
  relay.up("sink");
  await expect(done).rejects.toMatchObject({ code: "digest_mismatch" });
  expect(relay.done).toEqual({ transfer: TRANSFER, digest: "blake3:aa" });
  expect((await opener.open({ transfer: TRANSFER, name: "a", size: 10, type: "" })).held).toBe(0);
});

test("a digest of another algorithm is no mismatch", async () => {
  const { relay, consumer, done } = await meet(10);
  consumer.end({ transfer: TRANSFER, size: 10, digest: "md5:00" });
  relay.up("source");
  relay.up("sink");
  await done;
});

test("a sink without room fails the transfer with its own code", async () => {
  const full: SinkOpener = {
    kind: "full",
    open: async (target) => ({
      ...(await memorySink().open(target)),
      write: () => Promise.reject(new RoomdropError("no_space", "full")),
    }),
  };
  const { relay, done } = await meet(10, full);
  relay.up("source");
  relay.up("sink");
  await expect(done).rejects.toMatchObject({ code: "no_space" });
});

test("after a pause the lane is asked to go on from what is held", async () => {
  const { relay, consumer } = await meet();
  relay.up("sink");
  const facts = { transfer: TRANSFER, size: SIZE, sent: 0, bytesPerSecond: 0, etaSeconds: null };
  const status = (state: Status["state"]) => consumer.status({ ...facts, state, receivers: [] });
  await expect.poll(() => relay.pulls.length).toBe(1);
  status("paused");
  const before = relay.pulls.length;
  status("active");
  await Promise.resolve();
  expect(relay.pulls.slice(before)).toMatchObject([{ from: 0, limit: 8 * MIB }]);
  consumer.close();
});

/** A sink that says this digest of what it was given. */
function saying(digest: string, verified?: boolean): SinkOpener {
  return {
    kind: "saying",
    open: async (target) => ({
      ...(await memorySink().open(target)),
      finish: async () => ({ digest, ...(verified ? { verified } : {}) }),
    }),
  };
}

test("verified is what was compared, also when the sender's digest comes after the end", async () => {
  const early = await meet(10, saying("blake3:aa"));
  early.consumer.end({ transfer: TRANSFER, size: 10, digest: "blake3:aa" });
  early.relay.up("source");
  early.relay.up("sink");
  await early.done;
  expect(early.checks).toEqual(["verifying", "done", "verified"]);

  const late = await meet(10, saying("blake3:aa"));
  late.relay.up("source");
  late.relay.up("sink");
  await late.done;
  expect(late.checks).toEqual(["verifying", "done"]);
  late.relay.cut("sink");
  late.relay.up("sink");
  late.consumer.end({ transfer: TRANSFER, size: 10, digest: "blake3:aa" });
  expect(late.checks).toEqual(["verifying", "done", "verified"]);
});

test("a digest that comes late and differs takes back what was done", async () => {
  const { relay, consumer, done, checks } = await meet(10, saying("blake3:aa"));
  relay.up("source");
  relay.up("sink");
  await done;
  consumer.end({ transfer: TRANSFER, size: 10, digest: "blake3:bb" });
  expect(checks).toEqual(["verifying", "done", "failed"]);
});

test("a sink that has proved what it holds needs no digest of the sender's", async () => {
  const { relay, done, checks } = await meet(10, saying("blake3:aa", true));
  relay.up("source");
  relay.up("sink");
  await done;
  expect(checks).toEqual(["verifying", "done", "verified"]);
});
