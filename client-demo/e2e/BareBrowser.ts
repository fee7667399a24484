/**
 * A browser that nobody listens in on, for tests that measure it: Playwright has the browser copy every WebSocket
 * message to it, which takes longer than sending one. Chromium on a pipe, and of its debugging protocol no more than
 * opening tabs, running functions in them and choosing files.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";

interface Answer {
  id?: number;
  result?: Record<string, never>;
  error?: { message: string };
}

type Waiting = { resolve(result: Record<string, never>): void; reject(error: Error): void };

export class BareBrowser {
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #heard = "";

  private constructor(
    private readonly child: ChildProcess,
    private readonly into: Writable,
    out: Readable,
  ) {
    out.setEncoding("utf8").on("data", (text: string) => this.#hear(text));
  }

  /** With its profile in the folder `profile`. */
  static async launch(profile: string): Promise<BareBrowser> {
    const child = spawn(
      process.env.CHROMIUM_BIN ?? "/usr/bin/chromium",
      [
        "--headless=new",
        "--remote-debugging-pipe",
        `--user-data-dir=${profile}`,
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-precise-memory-info",
        // Two tabs that both work are to be measured, and only one can be in front.
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        "--disable-background-timer-throttling",
      ],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    );
    const [into, out] = [child.stdio[3], child.stdio[4]];
    if (!into || !out) throw new Error("the browser has no pipe");
    return new BareBrowser(child, into as Writable, out as Readable);
  }

  /** A tab that goes to `url`. */
  async tab(url: string): Promise<BareTab> {
    const { targetId } = await this.say("Target.createTarget", { url });
    const { sessionId } = await this.say("Target.attachToTarget", { targetId, flatten: true });
    return new BareTab(this, sessionId as unknown as string);
  }

  async say(method: string, params: object = {}, sessionId?: string): Promise<Record<string, never>> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.into.write(`${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    });
  }

  /** Mebibytes that the largest process of a page holds. */
  async largestPage(): Promise<number> {
    const { processInfo } = (await this.say("SystemInfo.getProcessInfo")) as unknown as {
      processInfo: { type: string; id: number }[];
    };
    const pages = processInfo.filter(({ type }) => type === "renderer");
    const sizes = pages.map(async ({ id }) => {
      const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    });
    return Math.round(Math.max(...(await Promise.all(sizes))));
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.child.once("exit", done));
    this.say("Browser.close").catch(() => undefined);
    await ended;
  }

  #hear(text: string): void {
    const said = (this.#heard + text).split("\0");
    this.#heard = said.pop() ?? "";
    for (const one of said) {
      const { id, result, error } = JSON.parse(one) as Answer;
      const waiting = id === undefined ? undefined : this.#waiting.get(id);
      if (id !== undefined) this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result ?? {});
    }
  }
}

export class BareTab {
  constructor(
    private readonly browser: BareBrowser,
    private readonly session: string,
  ) {}

  /** Runs `what` in the page with `given`, both of which must be plain; what it resolves with. */
  async run<G, R>(what: (given: G) => R | Promise<R>, given?: G): Promise<R> {
    const expression = `(${what.toString()})(${JSON.stringify(given ?? null)})`;
    const how = { expression, awaitPromise: true, returnByValue: true };
    const said = (await this.browser.say("Runtime.evaluate", how, this.session)) as unknown as {
      result: { value: R };
      exceptionDetails?: { exception?: { description?: string }; text: string };
    };
    const { exceptionDetails: fault } = said;
    if (fault) throw new Error(fault.exception?.description ?? fault.text);
    return said.result.value;
  }

  /** Freezes the page, as a phone that sleeps does, or thaws it. Only one that is hidden can be frozen. */
  async lifecycle(state: "frozen" | "active"): Promise<void> {
    await this.browser.say("Page.setWebLifecycleState", { state }, this.session);
  }

  /** Gives `paths` to the page's chooser of files, as if they had been chosen. */
  async choose(selector: string, paths: readonly string[]): Promise<void> {
    const { root } = (await this.browser.say("DOM.getDocument", {}, this.session)) as unknown as {
      root: { nodeId: number };
    };
    const found = await this.browser.say(
      "DOM.querySelector",
      { nodeId: root.nodeId, selector },
      this.session,
    );
    const { nodeId } = found as unknown as { nodeId: number };
    await this.browser.say("DOM.setFileInputFiles", { nodeId, files: paths }, this.session);
  }
}
