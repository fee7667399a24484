// A receiver whose phone sleeps, and a sender that reloads: both go on by themselves. Only the SDK is in the pages.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { BareBrowser } from "./BareBrowser";
import { launch } from "./Person";
import { SdkPages } from "./SdkPage";
import { Server } from "./Server";
import { TcpProxy } from "./TcpProxy";

type Sdk = typeof import("../src/sdk");

declare global {
  interface Window {
    here: import("../src/sdk").Room;
  }
}

const BYTES = 40_000_000;
/** Seconds after which the transports themselves notice that a link is dead: less than that has to do. */
const PING_TIMEOUT = 20;

let profile = "";
let browser: BrowserContext;
let server: Server;
let pages: SdkPages;
let proxies: TcpProxy[] = [];
let rooms = 0;

beforeAll(async () => {
  profile = await mkdtemp(join(tmpdir(), "roomdrop-survive-"));
  [browser, server, pages] = await Promise.all([launch(profile), Server.start(), SdkPages.serve()]);
  rooms = 0;
});
afterEach(async () => {
  await Promise.all(browser.pages().map((page) => page.close()));
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  proxies = [];
});
afterAll(async () => {
  await browser.close();
  await Promise.all([server.stop(), pages.stop()]);
  await rm(profile, { recursive: true, force: true });
});

/** A page in `room`, behind a proxy of its own. */
async function enter(room: string): Promise<{ page: Page; proxy: TcpProxy }> {
  const page = await browser.newPage();
  const proxy = await TcpProxy.before(server.url);
  proxies.push(proxy);
  await arrive(page, proxy, room);
  return { page, proxy };
}

/** Enters, for the first time or again. */
async function arrive(page: Page, proxy: TcpProxy, room: string): Promise<void> {
  await page.goto(pages.url);
  await page.waitForFunction(() => window.sdk !== undefined);
  await page.evaluate(
    async ([url, id]) => {
      const { joinRoom, memorySink } = window.sdk as Sdk;
      window.here = await joinRoom(url ?? "", id ?? "", { sink: memorySink() });
    },
    [proxy.url, room],
  );
}

function stage(page: Page): Promise<string | undefined> {
  return page.evaluate(() => window.here.drops[0]?.transfers[0]?.stage);
}

function done(page: Page): Promise<number> {
  return page.evaluate(() => window.here.drops[0]?.transfers[0]?.progress.done ?? 0);
}

async function accepting(page: Page): Promise<void> {
  await expect.poll(() => stage(page)).toBe("offered");
  await page.evaluate(async () => {
    await window.here.accept(window.here.drops[0] ?? []);
  });
}

test("a page that slept, and whose links died meanwhile without a word, goes on as soon as it is back", async () => {
  rooms += 1;
  const room = `survive-${rooms}`;
  const ada = await enter(room);
  const proxy = await TcpProxy.before(server.url);
  proxies.push(proxy);
  // Playwright's pages are always shown; only one that is hidden can sleep.
  const bare = await BareBrowser.launch(join(profile, "phone"));
  try {
    const phone = await bare.tab(pages.url);
    await expect.poll(() => phone.run(() => window.sdk !== undefined)).toBe(true);
    await phone.run(
      async ([url, id]) => {
        window.here = await window.sdk.joinRoom(url, id, { sink: window.sdk.memorySink() });
      },
      [proxy.url, room] as [string, string],
    );
    proxy.pace(4_000_000);
    await ada.page.evaluate(async (bytes) => {
      await window.here.offer([new File([new Uint8Array(bytes)], "a.bin")]);
    }, BYTES);
    await expect.poll(() => phone.run(() => window.here.drops.length)).toBe(1);
    await phone.run(async () => void (await window.here.accept(window.here.drops[0] ?? [])));
    const held = () => phone.run(() => window.here.drops[0]?.transfers[0]?.progress.done ?? 0);
    await expect.poll(held).toBeGreaterThan(BYTES / 10);
    await bare.tab("about:blank"); // in front of it
    await expect.poll(() => phone.run(() => document.visibilityState)).toBe("hidden");
    await phone.lifecycle("frozen");
    proxy.holdAll();
    proxy.pace(Number.POSITIVE_INFINITY);
    await phone.lifecycle("active");
    const back = performance.now();
    await expect.poll(() => phone.run(() => window.here.drops[0]?.transfers[0]?.stage)).toBe("complete");
    expect(performance.now() - back).toBeLessThan(PING_TIMEOUT * 1000);
  } finally {
    await bare.stop();
  }
});

test("a sender that reloads goes on at once with a file whose handle the browser keeps", async () => {
  rooms += 1;
  const room = `survive-${rooms}`;
  const ada = await enter(room);
  const bo = await enter(room);
  bo.proxy.pace(4_000_000);
  await ada.page.evaluate(async (bytes) => {
    const root = await navigator.storage.getDirectory();
    const handle = await root.getFileHandle("mine.bin", { create: true });
    const into = await handle.createWritable();
    await into.write(new Uint8Array(bytes));
    await into.close();
    await window.here.offer([{ file: await handle.getFile(), handle }]);
  }, BYTES);
  await accepting(bo.page);
  await expect.poll(() => done(bo.page)).toBeGreaterThan(BYTES / 10);
  await arrive(ada.page, ada.proxy, room);
  await expect.poll(() => stage(ada.page)).toBe("serving");
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await expect.poll(() => stage(bo.page)).toBe("complete");
  const verified = () =>
    bo.page.evaluate(() => {
      const [one] = window.here.drops[0]?.transfers ?? [];
      return one?.direction === "incoming" && one.verified;
    });
  await expect.poll(verified).toBe(true);
});
