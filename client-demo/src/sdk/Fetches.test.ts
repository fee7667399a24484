// Fetches against a fake server: what it is told, and that nothing is asked for twice under two names.
import { expect, test } from "vitest";
import type { Fetch } from "./Fetch";
import { Fetches } from "./Fetches";
import { type RecordStorage, Records } from "./Records";
import { RoomdropError } from "./RoomdropError";
import { FakeLink } from "./testing/FakeLink";

const URL_ = "https://example.com/a.bin";

class FakeServer {
  readonly asked: { event: string; say: Record<string, unknown> }[] = [];
  refuse: RoomdropError[] = [];
  readonly link = new FakeLink((event, say) => {
    this.asked.push({ event, say });
    const refusal = this.refuse.shift();
    if (refusal) throw refusal;
    return event === "fetch:start"
      ? { transfer: "t1", resource: (say as { resource: string }).resource }
      : {};
  });

  fetches(records = new Records(undefined, "s", "r")): Fetches {
    return new Fetches({ room: "r", link: () => this.link, records, key: () => "key" });
  }
}

function inMemory(): RecordStorage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

const settled = (fetches: Fetches, fits: (fetch: Fetch) => boolean): Promise<Fetch> =>
  new Promise((resolve) => {
    const off = fetches.on("changed", (fetch) => {
      if (!fits(fetch)) return;
      off();
      resolve(fetch);
    });
  });

const told = (resource: string) => ({ resource, transfer: "t1", name: "a.bin" });

test("a fetch is asked for, and tells how it goes until it ends", async () => {
  const server = new FakeServer();
  server.link.up = true;
  const fetches = server.fetches();
  const fetch = fetches.start(URL_, { keep: true });
  await settled(fetches, ({ stage }) => stage === "offered");
  expect(server.asked).toEqual([
    { event: "fetch:start", say: { room: "r", key: "key", resource: fetch.resource, url: URL_, keep: true } },
  ]);
  const progress = { received: 5, size: 10, progress: 50, bytesPerSecond: 2, etaSeconds: 3 };
  server.link.hear("fetch:progress", { ...told(fetch.resource), ...progress });
  expect(fetch.progress).toEqual({ done: 5, size: 10, bytesPerSecond: 2, secondsLeft: 3 });
  expect(fetch.name).toBe("a.bin");
  server.link.hear("fetch:complete", { ...told(fetch.resource), msg: "ok" });
  expect([fetch.stage, fetch.progress.done]).toEqual(["complete", 10]);
  server.link.hear("fetch:failed", { ...told(fetch.resource), error: "fetch_failed", msg: "late" });
  expect(fetch.stage).toBe("complete");
});

test("what failed says why, and what was stopped is not a failure", async () => {
  const server = new FakeServer();
  server.link.up = true;
  const fetches = server.fetches();
  const failing = fetches.start(URL_);
  server.link.hear("fetch:failed", {
    ...told(failing.resource),
    error: "fetch_failed",
    msg: "It has changed.",
  });
  expect([failing.stage, failing.error?.code, failing.error?.message]).toEqual([
    "failed",
    "fetch_failed",
    "It has changed.",
  ]);
  const stopped = fetches.start(URL_);
  await fetches.stop(stopped);
  server.link.hear("fetch:failed", { ...told(stopped.resource), msg: "It was stopped." });
  expect([stopped.stage, stopped.error]).toEqual(["stopped", undefined]);
  expect(server.asked.at(-1)).toEqual({ event: "fetch:stop", say: { resource: stopped.resource } });
  server.refuse = [new RoomdropError("not_allowed", "Not here.")];
  const refused = fetches.start("file:///etc/passwd");
  await settled(fetches, (fetch) => fetch === refused && fetch.stage === "failed");
  expect(refused.error?.message).toBe("Not here.");
});

test("after a lost link and after a reload the same fetch is named again", async () => {
  const server = new FakeServer();
  const storage = inMemory();
  const fetches = server.fetches(new Records(storage, "s", "r"));
  const fetch = fetches.start(URL_);
  expect(server.asked).toEqual([]);
  server.link.up = true;
  fetches.resume();
  await settled(fetches, ({ stage }) => stage === "offered");
  const reloaded = server.fetches(new Records(storage, "s", "r"));
  reloaded.resume();
  const again = await settled(reloaded, ({ stage }) => stage === "offered");
  expect(again.resource).toBe(fetch.resource);
  expect(server.asked.map(({ say }) => say.resource)).toEqual([fetch.resource, fetch.resource]);
  server.link.hear("fetch:complete", { ...told(fetch.resource), msg: "ok" });
  const later = server.fetches(new Records(storage, "s", "r"));
  later.resume();
  expect(later.list).toEqual([]);
});
