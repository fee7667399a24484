/** What every test of a file shares: the server, the browser, files, and people who leave after each test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { Workbench } from "./files";
import { launch, Person } from "./Person";
import { Server } from "./Server";

export interface Party {
  readonly files: Workbench;
  readonly server: Server;
  /** Two people in a room of their own. */
  meet(): Promise<{ ada: Person; bo: Person; room: string }>;
  /** Two people in a fresh sealed room; `prepare` is done to the second before they open the page. */
  meetSealed(prepare?: (bo: Person) => Promise<unknown>): Promise<{ ada: Person; bo: Person; link: string }>;
  person(name: string): Promise<Person>;
}

/** To be called once at the top of a test file; `settings` are the server's. */
export function party(settings: Record<string, string> = {}): Party {
  let server: Server | undefined;
  let browser: BrowserContext | undefined;
  let profile = "";
  let files: Workbench | undefined;
  let people: Person[] = [];
  let rooms = 0;

  beforeAll(async () => {
    profile = await mkdtemp(join(tmpdir(), "roomdrop-e2e-profile-"));
    [server, browser, files] = await Promise.all([Server.start(settings), launch(profile), Workbench.make()]);
  });

  afterEach(async ({ task }) => {
    const failed = task.result?.state === "fail";
    if (failed) await Promise.all(people.map((one) => one.shoot(`failed-${slug(task.name)}-${one.name}`)));
    const complaints = people.flatMap((one) => one.complaints);
    const strangers = people.flatMap((one) => [...one.hosts].filter((host) => !one.proxy.url.endsWith(host)));
    await Promise.all(people.map((one) => one.leave()));
    people = [];
    expect(complaints).toEqual([]);
    expect(strangers).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await files?.clear();
    await rm(profile, { recursive: true, force: true });
  });

  const person = async (name: string) => {
    if (!browser || !server) throw new Error("not started");
    const made = await Person.make(browser, server, name);
    people.push(made);
    return made;
  };

  return {
    get files() {
      if (!files) throw new Error("not started");
      return files;
    },
    get server() {
      if (!server) throw new Error("not started");
      return server;
    },
    person,
    async meetSealed(prepare = async () => undefined) {
      const ada = await person("Ada");
      const bo = await person("Bo");
      await prepare(bo);
      const link = await ada.startSealed();
      await bo.enterSealed(link);
      return { ada, bo, link };
    },
    async meet() {
      rooms += 1;
      const room = `test-room-${rooms}`;
      const ada = await (await person("Ada")).enter(room);
      const bo = await (await person("Bo")).enter(room);
      return { ada, bo, room };
    },
  };
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 60);
}
