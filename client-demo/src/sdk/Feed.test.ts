// The queue between events and `for await`.
import { expect, test, vi } from "vitest";
import { Feed } from "./Feed";

async function taken<T>(feed: Feed<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of feed) all.push(value);
  return all;
}

test("values come in order, those pushed before anyone took one too", async () => {
  const feed = new Feed<number>({ limit: 10, closed: () => undefined });
  feed.push(1);
  const all = taken(feed);
  feed.push(2);
  await Promise.resolve();
  feed.push(3);
  feed.end();
  expect(await all).toEqual([1, 2, 3]);
});

test("of what tells about the same, the newest waits alone", async () => {
  const feed = new Feed<[string, number]>({ limit: 2, about: ([name]) => name, closed: () => undefined });
  for (let count = 1; count <= 1000; count += 1) feed.push(["a", count]);
  feed.push(["b", 1]);
  feed.end();
  expect(await taken(feed)).toEqual([
    ["a", 1000],
    ["b", 1],
  ]);
});

test("a queue that is full is said, after what was in it", async () => {
  const feed = new Feed<number>({ limit: 2, closed: () => undefined });
  for (const value of [1, 2, 3]) feed.push(value);
  const all: number[] = [];
  const iterating = (async () => {
    for await (const value of feed) all.push(value);
  })();
  await expect(iterating).rejects.toMatchObject({ code: "fell_behind" });
  expect(all).toEqual([1, 2, 3]);
});

test("an aborted signal ends it at once with its reason, and a break tells the one who pushes", async () => {
  const closed = vi.fn();
  const abort = new AbortController();
  const feed = new Feed<number>({ limit: 2, signal: abort.signal, closed });
  feed.push(1);
  abort.abort(new Error("enough"));
  await expect(feed.next()).rejects.toThrow("enough");
  expect(await feed.next()).toMatchObject({ done: true });
  const other = new Feed<number>({ limit: 2, closed });
  other.push(1);
  for await (const _ of other) break;
  expect(closed).toHaveBeenCalledTimes(2);
});
