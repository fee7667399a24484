/** Someone with a browser window of their own, behind a proxy of their own. */
import { mkdir } from "node:fs/promises";
import { type BrowserContext, chromium, type Download, type Locator, type Page } from "playwright-core";
import { expect } from "vitest";
import type { Server } from "./Server";
import { TcpProxy } from "./TcpProxy";

const OUTPUT = new URL("./output/", import.meta.url).pathname;
/** Milliseconds that anything may take: two cores are shared with a server and two browsers. */
const SOON = Number(process.env.E2E_TIMEOUT ?? 120) * 1000 - 20_000;

/**
 * A browser with a profile on disk, as people have, and not in memory, as private windows do. Everyone is a
 * tab in it: each comes through a proxy of their own, which makes them an origin of their own.
 */
export function launch(profile: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM_BIN ?? "/usr/bin/chromium",
    headless: true,
    acceptDownloads: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // A microphone that beeps, and nobody to be asked for it.
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
    ],
  });
}

export class Person {
  /** Downloads that began, in order; `download` takes them. */
  readonly #downloads: Download[] = [];
  /** What the browser complained of: uncaught errors, and what the content security policy forbade. */
  readonly complaints: string[] = [];
  /** Hosts that were asked for something. */
  readonly hosts = new Set<string>();
  /** Words that were sent over the WebSocket, as Socket.IO writes them. */
  readonly said: string[] = [];
  /** What carries the connection. */
  carried: "polling" | "websocket" = "polling";

  private constructor(
    readonly name: string,
    readonly page: Page,
    readonly proxy: TcpProxy,
  ) {
    page.setDefaultTimeout(SOON);
    page.on("download", (download) => this.#downloads.push(download));
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) this.complaints.push(message.text());
    });
    page.on("websocket", (socket) => {
      socket.on("framereceived", () => {
        this.carried = "websocket";
      });
      socket.on("framesent", ({ payload }) => {
        if (typeof payload === "string" && !payload.includes('["chunk"')) this.said.push(payload);
      });
    });
    page.on("request", (request) => this.hosts.add(new URL(request.url()).host));
  }

  static async make(browser: BrowserContext, server: Server, name: string): Promise<Person> {
    const page = await browser.newPage();
    await page.setViewportSize({ width: 1100, height: 800 });
    return new Person(name, page, await TcpProxy.before(server.url));
  }

  /** Enters `room` by its code, under their name: without a secret, so what passes is not sealed. */
  async enter(room: string): Promise<this> {
    await this.page.goto(this.proxy.url);
    await this.page.getByTestId("my-name").fill(this.name);
    await this.page.getByTestId("room-code").fill(room);
    await this.page.getByTestId("enter-room").click();
    await this.connected("joined");
    return this;
  }

  /** Starts a fresh room, sealed with a secret that is in its link; gives the link's path. */
  async startSealed(): Promise<string> {
    await this.page.goto(this.proxy.url);
    await this.page.getByTestId("my-name").fill(this.name);
    await this.page.getByTestId("make-room").click();
    await this.connected("joined");
    return this.link;
  }

  /** The path and the secret of the room that they are in. */
  get link(): string {
    const { pathname, hash } = new URL(this.page.url());
    return pathname + hash;
  }

  /** Enters the room of a link that has its secret, under their name. */
  async enterSealed(link: string): Promise<this> {
    await this.page.goto(this.proxy.url);
    await this.page.getByTestId("my-name").fill(this.name);
    await this.page.getByTestId("room-code").fill(`${this.proxy.url}${link}`);
    await this.page.getByTestId("enter-room").click();
    await this.connected("joined");
    return this;
  }

  async connected(state: "joined" | "offline"): Promise<void> {
    await this.page.locator(`[data-testid=connection][data-state=${state}]`).waitFor();
  }

  /** Chooses files, and sends them once they are in the tray. */
  async offer(...paths: string[]): Promise<void> {
    await this.stage(...paths);
    await this.send();
  }

  /** Chooses files, which are in the tray then. */
  async stage(...paths: string[]): Promise<void> {
    const total = this.page.getByTestId("tray-total");
    const staged = async () =>
      (await total.count()) === 0 ? 0 : Number(await total.getAttribute("data-files"));
    const before = await staged();
    await this.page.getByTestId("choose-files").setInputFiles(paths);
    await expect.poll(staged).toBe(before + paths.length);
  }

  async send(): Promise<void> {
    await this.page.getByTestId("send").click();
    await this.page.getByTestId("tray").waitFor({ state: "detached" });
  }

  /** Chooses what the menu behind `opener` has under `item`. */
  async choose(opener: "menu" | "attach", item: string): Promise<void> {
    await this.page.getByTestId(opener).click();
    await this.page.getByTestId(item).click();
  }

  async leaveRoom(): Promise<void> {
    await this.choose("menu", "leave");
  }

  /** The row of the file `name`; the newest offer's when there are several. */
  transfer(name: string): Locator {
    return this.page.locator(`[data-testid=transfer][data-name="${name}"]`).first();
  }

  async press(name: string, action: string): Promise<void> {
    await this.transfer(name).getByTestId(action).click();
  }

  /** Waits until the row of `name` says `words`. */
  async reads(name: string, words: string | RegExp): Promise<void> {
    await this.transfer(name).getByTestId("transfer-words").filter({ hasText: words }).waitFor();
  }

  /** Waits until the row of `name` says `words` about `receiver`. */
  async readsOf(name: string, receiver: string, words: string): Promise<void> {
    const row = this.transfer(name).locator(`[data-testid=receiver][data-name="${receiver}"]`);
    await row.filter({ hasText: words }).waitFor();
  }

  /** Bytes that the row of `name` shows as done. */
  async done(name: string): Promise<number> {
    const bar = this.transfer(name).getByTestId("progress");
    if ((await bar.count()) === 0) return 0;
    return Number(await bar.getAttribute("data-done"));
  }

  async doneAtLeast(name: string, bytes: number): Promise<void> {
    await expect.poll(() => this.done(name), { interval: 20 }).toBeGreaterThanOrEqual(bytes);
  }

  /** The next download's name, and its path once it is whole. */
  async download(): Promise<{ name: string; path: string }> {
    await expect.poll(() => this.#downloads.length).toBeGreaterThan(0);
    const download = this.#downloads.shift();
    if (!download) throw new Error("no download");
    return { name: download.suggestedFilename(), path: await download.path() };
  }

  get downloads(): number {
    return this.#downloads.length;
  }

  async shoot(name: string): Promise<void> {
    await mkdir(OUTPUT, { recursive: true });
    await this.page.screenshot({ path: `${OUTPUT}${name}.png`, fullPage: true });
  }

  async leave(): Promise<void> {
    await this.page.close();
    await this.proxy.stop();
  }
}
