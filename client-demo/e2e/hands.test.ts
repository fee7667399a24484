/** What the page does besides showing: takes what is dropped, pasted and shared, remembers, tells, and bears refusals. */
import { mkdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MIB } from "./files";
import type { Person } from "./Person";
import { party } from "./party";

const here = party({ ROOMDROP_ROOMS__MAX_MEMBERS: "3" });

/** Lets go of real files and folders over the page, as a hand does. */
async function drop(person: Person, ...files: string[]): Promise<void> {
  const browser = await person.page.context().newCDPSession(person.page);
  const at = { x: 200, y: 200, data: { items: [], files, dragOperationsMask: 1 } };
  for (const type of ["dragEnter", "dragOver"] as const)
    await browser.send("Input.dispatchDragEvent", { type, ...at });
  await person.page.getByTestId("overlay").waitFor();
  await browser.send("Input.dispatchDragEvent", { type: "drop", ...at });
  await person.page.getByTestId("overlay").waitFor({ state: "detached" });
}

/** What the page is to believe of its window: a browser without a screen hides none. */
async function seem(person: Person, visibility: "visible" | "hidden"): Promise<void> {
  await person.page.evaluate((visibility) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, value: visibility });
    Object.defineProperty(document, "hidden", { configurable: true, value: visibility === "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, visibility);
}

/** The sentences that stand there because something could not be done. */
async function told(person: Person, words: string | RegExp): Promise<void> {
  await person.page.getByTestId("problems").filter({ hasText: words }).waitFor();
}

test("what is dropped is kept as the folders that it was, from the tray to the saved ZIP", async () => {
  const { ada, bo } = await here.meetSealed();
  const album = join(here.files.directory, "album");
  await mkdir(join(album, "raw", "empty"), { recursive: true });
  await writeFile(join(album, "10.txt"), "ten");
  await writeFile(join(album, "9.txt"), "nine");
  await writeFile(join(album, "raw", "9.raw"), "raw");
  await drop(ada, album, await here.files.file("beside.txt", 3));
  await ada.page.locator("[data-testid=staged][data-name=album]").waitFor();
  expect(await ada.page.getByTestId("tray-total").textContent()).toContain("4 files");
  await ada.send();
  await bo.page.getByTestId("accept-all").waitFor();
  const rows = await bo.page.getByTestId("file-name").allTextContents();
  expect(rows).toEqual(["album/9.txt", "album/10.txt", "album/raw/9.raw", "beside.txt"]);
  await bo.page.getByTestId("accept-all").click();
  for (const _ of rows) await bo.download();
  await bo.page.getByTestId("save-all").click();
  const { name, path } = await bo.download();
  expect(name).toMatch(/\.zip$/);
  // A ZIP's names stand in it as they are.
  const zip = (await readFile(path)).toString("latin1");
  for (const row of rows) expect(zip).toContain(row);
});

test("a folder that can't be read is named, and the rest is taken", async () => {
  const { ada } = await here.meetSealed();
  await ada.page.evaluate(() => {
    const file = { kind: "file", name: "fine.txt", getFile: async () => new File(["fine"], "fine.txt") };
    const locked = {
      kind: "directory",
      name: "locked",
      values: () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.reject(new DOMException("no", "NotAllowedError")),
        }),
      }),
    };
    const items = [locked, file].map((handle) => ({
      kind: "file",
      getAsFile: () => null,
      getAsFileSystemHandle: async () => handle,
    }));
    const event = new Event("drop", { bubbles: true, cancelable: true });
    Object.defineProperty(event, "dataTransfer", { value: { items, types: ["Files"], getData: () => "" } });
    document.body.dispatchEvent(event);
  });
  await ada.page.locator("[data-testid=staged][data-name='fine.txt']").waitFor();
  await told(ada, "locked");
});

test("what is pasted is a file or text; pictures of the clipboard get a name of their own, long text becomes a file", async () => {
  const { ada, bo } = await here.meetSealed();
  const paste = (what: "picture" | "short" | "long") =>
    ada.page.getByTestId(/^(say|note)$/).evaluate((field, what) => {
      const data = new DataTransfer();
      if (what === "picture") data.items.add(new File(["not really"], "image.png", { type: "image/png" }));
      else data.setData("text/plain", what === "short" ? "a word" : "long ".repeat(1000));
      field.dispatchEvent(
        new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }),
      );
    }, what);
  await paste("picture");
  await ada.page.locator("[data-testid=staged]").waitFor();
  const name = await ada.page.getByTestId("staged").getAttribute("data-name");
  expect(name).toMatch(/^\S+ \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png$/);
  await paste("long");
  await expect.poll(() => ada.page.getByTestId("staged").count()).toBe(2);
  expect(await ada.page.getByTestId("staged").nth(1).getAttribute("data-name")).toMatch(/\.txt$/);
  await paste("short");
  expect(await ada.page.getByTestId("staged").count()).toBe(2);
  await ada.send();
  await bo.transfer(name ?? "").waitFor();
});

test("files are taken out of the tray again, and only what is left is sent, to those who were chosen", async () => {
  const { ada, bo, link } = await here.meetSealed();
  const cy = await here.person("Cy");
  await cy.enterSealed(link);
  await ada.stage(await here.files.file("keep.txt", 5), await here.files.file("not this.txt", 5));
  await ada.page.locator("[data-testid=staged][data-name='not this.txt']").getByTestId("remove").click();
  await ada.page.locator("[data-testid=to-member][data-name=Bo]").click();
  await ada.send();
  await bo.transfer("keep.txt").waitFor();
  expect(await bo.transfer("not this.txt").count()).toBe(0);
  // What is said after it has reached everyone, so it would be there.
  await ada.page.getByTestId("say").fill("said to all");
  await ada.page.getByTestId("say").press("Enter");
  await cy.page.getByTestId("message").filter({ hasText: "said to all" }).waitFor();
  expect(await cy.transfer("keep.txt").count()).toBe(0);
});

test("a friend's offers are accepted by themselves, another's are not", async () => {
  const { ada, bo, link } = await here.meetSealed();
  const cy = await here.person("Ada"); // of the same name, which makes nobody a friend
  await cy.enterSealed(link);
  await expect.poll(() => bo.page.getByTestId("member").count()).toBe(3);
  const friend = bo.page.locator("[data-testid=member][data-name=Ada]").first().getByTestId("friend");
  await friend.click();
  await expect.poll(() => friend.getAttribute("aria-pressed")).toBe("true");
  await ada.stage(await here.files.file("from a friend.txt", 5));
  await ada.send();
  expect((await bo.download()).name).toBe("from a friend.txt");
  await cy.stage(await here.files.file("from a stranger.txt", 5));
  await cy.send();
  await bo.reads("from a stranger.txt", "offered to you");
  expect(bo.downloads).toBe(0);
});

test("while nobody looks the title tells what waits and how far it is, and only where one is when they do", async () => {
  const { ada, bo } = await here.meetSealed();
  const room = (await bo.page.getByTestId("room-id").textContent()) ?? "";
  await seem(bo, "hidden");
  await ada.stage(await here.files.file("large.bin", 30 * MIB));
  await ada.send();
  await expect.poll(() => bo.page.title()).toBe(`(1 offer) ${room} · roomdrop`);
  bo.proxy.pace(2 * MIB);
  await bo.press("large.bin", "accept");
  await expect.poll(() => bo.page.title()).toMatch(/^\([1-9]\d? %\) /);
  await seem(bo, "visible");
  expect(await bo.page.title()).toBe(`${room} · roomdrop`);
});

test("a page is not closed without a word while something moves, and is when nothing does", async () => {
  const { ada, bo } = await here.meetSealed();
  bo.proxy.pace(MIB);
  await ada.stage(await here.files.file("large.bin", 30 * MIB));
  await ada.send();
  await bo.press("large.bin", "accept");
  await bo.doneAtLeast("large.bin", 1);
  for (const one of [ada, bo]) {
    const asked = one.page.waitForEvent("dialog");
    await one.page.close({ runBeforeUnload: true });
    const dialog = await asked;
    expect(dialog.type()).toBe("beforeunload");
    await dialog.dismiss();
  }
  await bo.press("large.bin", "cancel");
  await bo.reads("large.bin", "cancelled");
  const closed = bo.page.waitForEvent("close");
  await bo.page.close({ runBeforeUnload: true });
  await closed;
});

test("the screen stays on while something large moves, again after the page was hidden, and no longer", async () => {
  const { ada, bo } = await here.meetSealed((person) =>
    person.page.addInitScript(() => {
      const held = new Set<object>();
      const request = async () => {
        const lock = { release: async () => held.delete(lock) };
        held.add(lock);
        return lock;
      };
      Object.defineProperty(Navigator.prototype, "wakeLock", { value: { request } });
      Object.assign(window, { locks: () => held.size });
    }),
  );
  const locks = () => bo.page.evaluate(() => (window as unknown as { locks(): number }).locks());
  bo.proxy.pace(2 * MIB);
  await ada.offer(await here.files.file("large.bin", 60 * MIB));
  await bo.transfer("large.bin").waitFor();
  expect(await locks()).toBe(0);
  await bo.press("large.bin", "accept");
  await expect.poll(locks).toBe(1);
  await seem(bo, "hidden");
  await expect.poll(locks).toBe(0);
  await seem(bo, "visible");
  await expect.poll(locks).toBe(1);
  await bo.press("large.bin", "cancel");
  await expect.poll(locks).toBe(0);
});

test("notifications are asked for from a click, shown while nobody looks, and name no files", async () => {
  const { ada, bo } = await here.meetSealed((person) => pretendNotifications(person, "granted"));
  await bo.page.getByTestId("menu").click();
  await bo.page.getByTestId("notify").click();
  await expect.poll(() => bo.page.getByTestId("notify").count()).toBe(0);
  await ada.stage(await here.files.file("seen.txt", 5));
  await ada.send();
  await bo.transfer("seen.txt").waitFor();
  expect(await notices(bo)).toEqual([]);
  await seem(bo, "hidden");
  await ada.stage(await here.files.file("secret plan.txt", 5));
  await ada.send();
  await expect.poll(async () => (await notices(bo)).length).toBe(1);
  expect((await notices(bo)).join()).not.toContain("secret plan");
});

test("who refuses notifications is not asked again, and everything else works", async () => {
  const { ada, bo } = await here.meetSealed((person) => pretendNotifications(person, "denied"));
  expect(await bo.page.getByTestId("notify-hint").count()).toBe(0);
  bo.proxy.pace(MIB);
  await ada.stage(await here.files.file("it takes a while.bin", 60 * MIB));
  await ada.send();
  await bo.press("it takes a while.bin", "accept");
  await bo.page.getByTestId("notify-yes").click();
  await told(bo, /refused notifications/);
  await bo.page.getByTestId("notify-hint").waitFor({ state: "detached" });
  await bo.press("it takes a while.bin", "cancel");
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await bo.page.reload();
  await bo.connected("joined");
  await bo.page.getByTestId("menu").click();
  expect(await bo.page.getByTestId("notify").count()).toBe(0);
  await seem(bo, "hidden");
  await ada.stage(await here.files.file("still.txt", 5));
  await ada.send();
  await bo.transfer("still.txt").waitFor();
  expect(await notices(bo)).toEqual([]);
});

test("what does not fit in the browser is said before it is accepted, and goes straight to disk", async () => {
  const { ada, bo } = await here.meetSealed((person) =>
    person.page.addInitScript((quota) => {
      if (navigator.storage) navigator.storage.estimate = async () => ({ quota, usage: 0 });
    }, 20 * MIB),
  );
  const size = 20 * MIB;
  await ada.stage(await here.files.file("too large.bin", size));
  await ada.send();
  await bo.transfer("too large.bin").getByTestId("no-fit").waitFor();
  await bo.press("too large.bin", "accept");
  const { name, path } = await bo.download();
  expect([name, (await stat(path)).size]).toEqual(["too large.bin", size]);
});

test("a disk that runs full has its sentence, and what was stopped by it can be had another way", async () => {
  const { ada, bo } = await here.meetSealed();
  const browser = await bo.page.context().newCDPSession(bo.page);
  await browser.send("Storage.overrideQuotaForOrigin", { origin: bo.proxy.url, quotaSize: 20 * MIB });
  await ada.stage(await here.files.file("overflowing.bin", 24 * MIB));
  await ada.send();
  await bo.press("overflowing.bin", "accept");
  await bo
    .transfer("overflowing.bin")
    .getByTestId("transfer-error")
    .filter({ hasText: /no room left/ })
    .waitFor();
  await bo.press("overflowing.bin", "download");
  expect((await stat((await bo.download()).path)).size).toBe(24 * MIB);
});

test("what is shared with the installed page waits in its tray for a room", async () => {
  const ada = await here.person("Ada");
  await ada.startSealed();
  await ada.page.evaluate(async () => {
    const worker = await navigator.serviceWorker.register("/sw.js");
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) {
      const taken = new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done));
      worker.active?.postMessage("claim");
      await taken;
    }
    const form = document.createElement("form");
    Object.assign(form, { action: "/share", method: "post", enctype: "multipart/form-data", id: "sharing" });
    const [files, text] = [document.createElement("input"), document.createElement("input")];
    Object.assign(files, { type: "file", name: "files", multiple: true });
    files.dataset.testid = "sharing-files";
    Object.assign(text, { type: "hidden", name: "text", value: "words" });
    form.append(files, text);
    document.body.append(form);
  });
  await ada.page.getByTestId("sharing-files").setInputFiles(await here.files.file("shared.txt", 7));
  await ada.page.evaluate(() => (document.getElementById("sharing") as HTMLFormElement).submit());
  await ada.page.getByTestId("ready").waitFor();
  expect(new URL(ada.page.url()).search).toBe("");
  await ada.page.getByTestId("make-room").click();
  await ada.page.locator("[data-testid=staged][data-name='shared.txt']").waitFor();
  await ada.page.reload();
  await ada.connected("joined");
  expect(await ada.page.getByTestId("staged").count()).toBe(0);
});

test("the page is installable, with icons that are there", async () => {
  const ada = await here.person("Ada");
  await ada.page.goto(ada.proxy.url);
  const browser = await ada.page.context().newCDPSession(ada.page);
  const { url, errors, data } = await browser.send("Page.getAppManifest");
  expect(errors).toEqual([]);
  expect(new URL(url).pathname).toBe("/manifest.webmanifest");
  const manifest = JSON.parse(data ?? "{}") as { icons: { src: string; type: string }[] };
  for (const { src, type } of [...manifest.icons, { src: "/apple-touch-icon.png", type: "image/png" }]) {
    const answer = await ada.page.request.get(ada.proxy.url + src);
    expect([answer.status(), answer.headers()["content-type"]]).toEqual([200, type]);
  }
});

test("the installed page's shortcut starts a room", async () => {
  const ada = await here.person("Ada");
  const { shortcuts } = await (await ada.page.request.get(`${ada.proxy.url}/manifest.webmanifest`)).json();
  await ada.page.goto(ada.proxy.url + shortcuts[0].url);
  await ada.connected("joined");
  expect(ada.link).toMatch(/^\/rooms\/[a-z]+-[a-z]+-\d+#/);
  await ada.page.goBack();
  await ada.page.getByTestId("make-room").waitFor();
});

test("rooms one was in are one click away, secret and all, until they are forgotten", async () => {
  const { ada, bo, link } = await here.meetSealed();
  await ada.page.getByTestId("say").fill("for those with the key");
  await ada.page.getByTestId("say").press("Enter");
  await bo.page.getByTestId("message").waitFor();
  await bo.page.goto(bo.proxy.url);
  await bo.page.getByTestId("recent-room").getByRole("link").click();
  await bo.connected("joined");
  expect(bo.link).toBe(link);
  await bo.page.getByTestId("message").filter({ hasText: "for those with the key" }).waitFor();
  await bo.page.goto(bo.proxy.url);
  await bo.page.getByTestId("forget-room").click();
  await bo.page.getByTestId("recent-room").waitFor({ state: "detached" });
  await bo.page.reload();
  await bo.page.getByTestId("make-room").waitFor();
  expect(await bo.page.getByTestId("recent-room").count()).toBe(0);
  expect(await bo.page.evaluate(() => JSON.stringify(localStorage))).not.toContain(link.split("#")[1]);
});

test("name, picture, theme and language are remembered", async () => {
  const ada = await here.person("Ada");
  await ada.startSealed();
  await ada.page.getByTestId("avatar").click();
  await ada.page.getByTestId("avatars").getByRole("button", { name: "🦊" }).click();
  await ada.page.getByTestId("menu").click();
  await ada.page.getByTestId("theme").selectOption("dark");
  await ada.page.getByTestId("language").selectOption("zh");
  await expect.poll(() => ada.page.evaluate(() => document.documentElement.lang)).toMatch(/^zh/);
  await ada.page.emulateMedia({ colorScheme: "light" });
  await ada.page.reload();
  await ada.connected("joined");
  expect(await ada.page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
  expect(await ada.page.evaluate(() => document.documentElement.lang)).toMatch(/^zh/);
  expect(await ada.page.getByTestId("my-name").inputValue()).toBe("Ada");
  const bo = await here.person("Bo");
  await bo.enterSealed(ada.link);
  await bo.page.getByTestId("member").filter({ hasText: "🦊" }).filter({ hasText: "Ada" }).waitFor();
});

test("hostile names of people and files are text and nothing else", async () => {
  const { ada, bo } = await here.meetSealed();
  const hostile = `<img src=x onerror="document.title='owned'">`;
  await ada.page.getByTestId("my-name").fill(`${hostile}\u202Egpj`);
  await ada.page.getByTestId("my-name").press("Enter");
  await bo.page.getByTestId("member").filter({ hasText: hostile }).waitFor();
  await ada.page.evaluate((name) => {
    const data = new DataTransfer();
    data.items.add(new File(["x"], `${name}\u202Egpj.exe`));
    const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.body.dispatchEvent(event);
  }, hostile);
  await ada.send();
  await bo.page.getByTestId("file-name").filter({ hasText: hostile }).waitFor();
  for (const one of [ada, bo]) {
    expect(await one.page.locator("img[src=x]").count()).toBe(0);
    expect(await one.page.title()).not.toBe("owned");
  }
});

test("a file that changes on disk while it is sent fails with a sentence, at both ends", async () => {
  const { ada, bo } = await here.meetSealed();
  bo.proxy.pace(2 * MIB);
  const path = await here.files.file("fleeting.bin", 40 * MIB);
  await ada.stage(path);
  await ada.send();
  await bo.press("fleeting.bin", "accept");
  await bo.doneAtLeast("fleeting.bin", 1);
  await truncate(path, 10);
  for (const one of [ada, bo]) {
    await one
      .transfer("fleeting.bin")
      .getByTestId("transfer-error")
      .filter({ hasText: /\w+ \w+/ })
      .waitFor();
  }
});

test("a clipboard that refuses has its sentence and a way on", async () => {
  const ada = await here.person("Ada");
  await ada.startSealed();
  await ada.page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await ada.page.getByTestId("copy-link").first().click();
  await ada.page.getByRole("alert").filter({ hasText: "address bar" }).waitFor();
});

test("a room that is full says so, and lets one in when there is room", async () => {
  const { bo, link } = await here.meetSealed();
  await (await here.person("Cy")).enterSealed(link);
  const di = await here.person("Di");
  await di.page.goto(di.proxy.url + link);
  await di.page.getByTestId("refused").filter({ hasText: /full/i }).waitFor();
  await bo.page.getByTestId("menu").click();
  await bo.page.getByTestId("leave").click();
  await di.page.getByTestId("try-again").click();
  await di.connected("joined");
});

/** Stands for the browser's own: nobody is there to press its buttons. */
async function pretendNotifications(person: Person, answer: NotificationPermission): Promise<void> {
  await person.page.addInitScript((answer) => {
    if (location.protocol !== "http:") return;
    class Pretended {
      static permission = sessionStorage.getItem("pretended") ?? "default";
      static shown: string[] = [];
      onclick: (() => void) | null = null;
      constructor(title: string, options: NotificationOptions = {}) {
        Pretended.shown.push(`${title}: ${options.body}`);
      }
      static async requestPermission() {
        sessionStorage.setItem("pretended", answer);
        Pretended.permission = answer;
        return answer;
      }
      close() {}
    }
    Object.assign(window, { Notification: Pretended });
  }, answer);
}

function notices(person: Person): Promise<string[]> {
  return person.page.evaluate(() => (Notification as unknown as { shown: string[] }).shown);
}
