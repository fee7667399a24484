// A sink that hands on: no further than is read, and to its end only when that was checked.
import { expect, test } from "vitest";
import { type StreamSink, streamSink } from "./streamSink";

const TARGET = { transfer: "t", name: "a", size: 4, type: "" };

async function opened(): Promise<{ sink: Awaited<ReturnType<StreamSink["open"]>>; given: StreamSink }> {
  const given = streamSink();
  return { sink: await given.open(TARGET), given };
}

test("a write waits until it was read", async () => {
  const { sink, given } = await opened();
  const reader = given.readable.getReader();
  const written: string[] = [];
  const first = sink.write(0, Uint8Array.of(1, 2)).then(() => written.push("first"));
  const second = sink.write(2, Uint8Array.of(3, 4)).then(() => written.push("second"));
  expect(written).toEqual([]);
  expect((await reader.read()).value).toEqual(Uint8Array.of(1, 2));
  await first;
  expect(written).toEqual(["first"]);
  await reader.read();
  await second;
});

test("it ends when it was checked, not before", async () => {
  const { sink, given } = await opened();
  const reading = new Response(given.readable).arrayBuffer();
  await sink.write(0, Uint8Array.of(1, 2));
  const { digest } = await sink.finish();
  expect(digest).toMatch(/^blake3:[0-9a-f]{64}$/);
  sink.done?.();
  expect((await reading).byteLength).toBe(2);
});

test("a transfer that fails breaks it off, and who reads no more fails the transfer", async () => {
  const broken = await opened();
  const reading = new Response(broken.given.readable).arrayBuffer();
  await broken.sink.write(0, Uint8Array.of(1));
  broken.sink.close();
  await expect(reading).rejects.toMatchObject({ code: "closed" });

  const left = await opened();
  const writing = left.sink.write(0, Uint8Array.of(1));
  await left.given.readable.cancel();
  await expect(writing).rejects.toMatchObject({ code: "sink_failed" });
  await expect(left.sink.write(1, Uint8Array.of(1))).rejects.toMatchObject({ code: "sink_failed" });
});

test("it takes one transfer", async () => {
  const { given } = await opened();
  await expect(given.open(TARGET)).rejects.toMatchObject({ code: "sink_failed" });
});
