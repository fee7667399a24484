/**
 * One file from one page through the server to another, and what it cost: the figures of `npm run bench`, and what
 * `pace.test.ts` holds to its promises. Nothing but the SDK is in the pages.
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { BareBrowser, type BareTab } from "./BareBrowser";
import { SdkPages } from "./SdkPage";
import { Server } from "./Server";

type Sdk = typeof import("../src/sdk");
type Room = import("../src/sdk").Room;

/** What a page keeps between two looks at it. */
interface Bench {
  room: Room;
  long: number[];
  got: Promise<{ milliseconds: number; verified: boolean }>;
}

declare global {
  interface Window {
    sdk: Sdk;
    bench: Bench;
  }
}

/** Milliseconds between two looks at the memory of the pages. */
const LOOKS = 200;

export interface Figures {
  megabytesPerSecond: number;
  verified: boolean;
  /** Milliseconds of each task that held a page for more than 50, longest first. */
  longTasks: { sender: number[]; receiver: number[] };
  /** Megabytes of JavaScript's heap at the end. */
  heap: { sender: number; receiver: number };
  /** Mebibytes of the larger page, at most, in the first half of the time and in the second. */
  memory: { early: number; late: number };
}

export interface How {
  bytes: number;
  /** Whether the room has a secret, and all is encrypted. */
  sealed: boolean;
}

/** Starts all that is needed; `measure` may be called again and again. */
export async function pacing() {
  const folder = await mkdtemp(join(tmpdir(), "roomdrop-pace-"));
  const [server, pages] = await Promise.all([Server.start(), SdkPages.serve()]);
  const browser = await BareBrowser.launch(join(folder, "profile"));
  let runs = 0;
  return {
    async measure({ bytes, sealed }: How): Promise<Figures> {
      runs += 1;
      const path = join(folder, `file-${runs}`);
      await fill(path, bytes);
      const secret = sealed ? "A".repeat(43) : undefined;
      const who = { server: server.url, room: `pace-${runs}`, secret };
      const [sender, receiver] = await Promise.all([enter(browser, pages, who), enter(browser, pages, who)]);
      const figures = await transfer(browser, sender, receiver, path, bytes);
      await Promise.all([sender, receiver].map((tab) => tab.run(() => window.close())));
      await rm(path);
      return figures;
    },
    /**
     * The same bytes by `fetch` into a room (`PUT`) and out of it (`GET`), from page to page; megabytes a second. The
     * receiver reads and drops them: what is least for a browser to do.
     */
    async measureHttp(bytes: number): Promise<number> {
      runs += 1;
      const path = join(folder, `file-${runs}`);
      await fill(path, bytes);
      const url = `${server.url}/rooms/http-${runs}/file`;
      const [sender, receiver] = await Promise.all([browser.tab(pages.url), browser.tab(pages.url)]);
      await chooser(sender, path);
      const sending = sender.run(async (to) => {
        const [file] = document.querySelector("input")?.files ?? [];
        if (file) await fetch(to, { method: "PUT", body: file });
      }, url);
      const milliseconds = await receiver.run(async (from) => {
        const answer = await fetch(`${from}?wait=60`);
        const began = performance.now();
        const reader = answer.body?.getReader();
        while (reader && !(await reader.read()).done);
        return performance.now() - began;
      }, url);
      await sending;
      await Promise.all([sender, receiver].map((tab) => tab.run(() => window.close())));
      await rm(path);
      return Math.round(bytes / milliseconds / 1000);
    },
    async stop(): Promise<void> {
      await browser.stop();
      await Promise.all([server.stop(), pages.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function enter(
  browser: BareBrowser,
  pages: SdkPages,
  who: { server: string; room: string; secret: string | undefined },
): Promise<BareTab> {
  const tab = await browser.tab(pages.url);
  await expect.poll(() => tab.run(() => window.sdk !== undefined)).toBe(true);
  await tab.run(async ({ server, room, secret }) => {
    const { sdk } = window;
    const options = { storage: null, ...(secret ? { secret } : {}) };
    const here = await sdk.joinRoom(server, room, { ...options, sink: sdk.opfsSink() });
    const long: number[] = [];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) long.push(duration);
    }).observe({ type: "longtask" });
    const got = new Promise<Awaited<Bench["got"]>>((resolve, reject) => {
      here.on("offered", async (drop) => {
        const began = performance.now();
        const [incoming] = await here.accept(drop);
        incoming?.done().then(({ verified }) => {
          resolve({ milliseconds: performance.now() - began, verified });
        }, reject);
      });
    });
    window.bench = { room: here, long, got };
  }, who);
  return tab;
}

/** Lets `tab` have the file at `path`, as the one that was chosen. */
async function chooser(tab: BareTab, path: string): Promise<void> {
  await expect.poll(() => tab.run(() => window.sdk !== undefined)).toBe(true);
  await tab.run(() => {
    const input = document.createElement("input");
    input.type = "file";
    document.body.append(input);
  });
  await tab.choose("input", [path]);
}

async function transfer(
  browser: BareBrowser,
  sender: BareTab,
  receiver: BareTab,
  path: string,
  bytes: number,
): Promise<Figures> {
  await chooser(sender, path);
  await sender.run(async () => {
    const files = document.querySelector("input")?.files ?? [];
    await window.bench.room.offer([...files]);
  });
  const memory = watchMemory(browser);
  const { milliseconds, verified } = await receiver.run(() => window.bench.got);
  const [from, to] = await Promise.all([sender, receiver].map((tab) => tab.run(look)));
  if (!from || !to) throw new Error("a page is gone");
  return {
    megabytesPerSecond: Math.round(bytes / milliseconds / 1000),
    verified,
    longTasks: { sender: from.long, receiver: to.long },
    heap: { sender: from.heap, receiver: to.heap },
    memory: await memory(),
  };
}

/** Looks at the larger page from now on, until the function that it returns is called. */
function watchMemory(browser: BareBrowser): () => Promise<Figures["memory"]> {
  const seen: number[] = [];
  let state: "watching" | "done" = "watching";
  const watching = (async () => {
    while (state === "watching") {
      seen.push(await browser.largestPage());
      await new Promise((resume) => setTimeout(resume, LOOKS));
    }
  })();
  return async () => {
    state = "done";
    await watching;
    const half = Math.ceil(seen.length / 2);
    return { early: Math.max(...seen.slice(0, half)), late: Math.max(...seen.slice(half - 1)) };
  };
}

/** Runs in the page. */
function look(): { long: number[]; heap: number } {
  const { memory } = performance as Performance & { memory?: { usedJSHeapSize: number } };
  return {
    long: window.bench.long.map(Math.round).sort((a, b) => b - a),
    heap: Math.round((memory?.usedJSHeapSize ?? 0) / 1e6),
  };
}

/** Bytes that no storage can make smaller. */
async function fill(path: string, bytes: number): Promise<void> {
  const block = new Uint8Array(4_000_000);
  let state = 1;
  for (let index = 0; index < block.length; index += 1) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    block[index] = state >> 16;
  }
  const file = await open(path, "w");
  for (let done = 0; done < bytes; done += block.length) {
    await file.write(block, 0, Math.min(block.length, bytes - done));
  }
  await file.close();
}
