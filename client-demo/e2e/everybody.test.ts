/** The page is for everybody: no serious fault in any state, both themes, phone and desktop; by keyboard; in Chinese. */
import { expect, test } from "vitest";
import { nobodyShutOut } from "./axe";
import { MIB } from "./files";
import type { Person } from "./Person";
import { party } from "./party";
import { DAWN, draw } from "./shots/pictures";

const here = party();

/** Something of every kind for the tray and the offer. */
async function mixture(person: Person): Promise<string[]> {
  return [
    await draw(person.page, DAWN, `${here.files.directory}/dawn.jpg`, 600),
    await here.files.file(`${"a very long name ".repeat(8)}.pdf`, 3000),
    await here.files.file("empty.txt", 0),
  ];
}

test("the front page shuts nobody out", async () => {
  const ada = await here.person("Ada");
  await ada.startSealed();
  await ada.page.goBack();
  await ada.page.getByTestId("recent-room").waitFor();
  await ada.page.locator("summary").click();
  await nobodyShutOut(ada.page, "front page");
  await ada.page.getByTestId("avatar").click();
  await ada.page.getByTestId("avatars").waitFor();
  await ada.page.getByTestId("room-code").fill("no/code?");
  await ada.page.getByTestId("enter-room").click();
  await nobodyShutOut(ada.page, "front page with a picture to choose and a wrong code");
});

test("an empty room, its menus and its dialogs shut nobody out", async () => {
  const ada = await here.person("Ada");
  await ada.startSealed();
  await ada.page.getByTestId("empty").waitFor();
  await nobodyShutOut(ada.page, "empty room");
  for (const [opener, opened] of [
    ["share", "share-dialog"],
    ["seal", "seal-dialog"],
  ] as const) {
    await ada.page.getByTestId(opener).click();
    await ada.page.getByTestId(opened).waitFor();
    await nobodyShutOut(ada.page, opened);
    await ada.page.keyboard.press("Escape");
    await ada.page.getByTestId(opened).waitFor({ state: "detached" });
  }
  await ada.page.getByTestId("attach").click();
  await ada.page.getByTestId("from-link").click();
  await nobodyShutOut(ada.page, "links dialog");
  await ada.page.keyboard.press("Escape");
  await ada.page.getByTestId("menu").click();
  await nobodyShutOut(ada.page, "menu");
});

test("a tray, an offer, and what becomes of it shut nobody out", async () => {
  const { ada, bo } = await here.meetSealed();
  await ada.stage(...(await mixture(ada)));
  await ada.page.getByTestId("preview").first().waitFor();
  await nobodyShutOut(ada.page, "tray");
  await ada.page.getByTestId("note").fill("From the weekend");
  await ada.send();
  await bo.page.getByTestId("accept-all").waitFor();
  await nobodyShutOut(bo.page, "offer of several");
  await nobodyShutOut(ada.page, "offered");
  await bo.page.getByTestId("accept-all").click();
  await bo.page.getByTestId("all-verified").waitFor();
  await nobodyShutOut(bo.page, "received");
  await nobodyShutOut(ada.page, "delivered");
});

test("one file on its way shuts nobody out, at either end", async () => {
  const { ada, bo } = await here.meetSealed();
  bo.proxy.pace(MIB);
  await ada.stage(await here.files.file("film.mp4", 40 * MIB));
  await ada.send();
  await bo.transfer("film.mp4").waitFor();
  await nobodyShutOut(bo.page, "offer of one");
  await bo.press("film.mp4", "accept");
  await bo.doneAtLeast("film.mp4", 1);
  await nobodyShutOut(bo.page, "receiving");
  await nobodyShutOut(ada.page, "sending");
  await bo.press("film.mp4", "pause");
  await bo.transfer("film.mp4").getByTestId("resume").waitFor();
  await nobodyShutOut(bo.page, "paused");
});

test("a lost connection shuts nobody out", async () => {
  const { bo } = await here.meetSealed();
  bo.proxy.cut();
  await bo.connected("offline");
  await nobodyShutOut(bo.page, "offline");
});

test("hundreds of files shut nobody out", async () => {
  const { ada, bo } = await here.meetSealed();
  const paths = await Promise.all(Array.from({ length: 300 }, (_, one) => here.files.file(`${one}.txt`, 10)));
  await ada.page.getByTestId("choose-files").setInputFiles(paths);
  await ada.page.getByTestId("tray-total").filter({ hasText: "300 files" }).waitFor();
  await nobodyShutOut(ada.page, "tray of hundreds");
  await ada.send();
  await bo.page.getByTestId("show-files").click();
  await bo.page.getByTestId("transfer").first().waitFor();
  await nobodyShutOut(bo.page, "offer of hundreds");
});

test("a room that one may not enter, or cannot read, shuts nobody out from the way in", async () => {
  const ada = await here.person("Ada");
  const link = await ada.startSealed();
  await ada.page.getByTestId("say").fill("only for those with the link");
  await ada.page.getByTestId("say").press("Enter");
  await ada.stage(await here.files.file("sealed.txt", 10));
  await ada.send();
  const bo = await here.person("Bo");
  await bo.enterSealed(link.replace(/#.*/, ""));
  await bo.page.getByTestId("locked").waitFor();
  await nobodyShutOut(bo.page, "locked");
  await bo.page.getByTestId("whole-link").fill(ada.page.url());
  await bo.page.getByTestId("unlock").click();
  await bo.page.getByTestId("message").filter({ hasText: "only for those with the link" }).waitFor();
  await bo.transfer("sealed.txt").waitFor();

  const cy = await here.person("Cy");
  await cy.page.goto(cy.proxy.url);
  await cy.page.locator("summary").click();
  await cy.page.getByTestId("make-passphrase").fill("open sesame");
  await cy.page.getByTestId("make-room").click();
  await cy.connected("joined");
  await bo.page.goto(bo.proxy.url + cy.link);
  await bo.page.getByTestId("passphrase").fill("wrong");
  await bo.page.getByTestId("try-passphrase").click();
  await bo.page.getByTestId("refused").waitFor();
  await nobodyShutOut(bo.page, "refused");
});

test("from the front page to a saved file by keyboard alone", async () => {
  const ada = await here.person("Ada");
  const link = await ada.startSealed();
  const bo = await here.person("Bo");
  await bo.page.goto(bo.proxy.url);
  await bo.page.bringToFront();
  await tabTo(bo, "room-code");
  await bo.page.keyboard.insertText(bo.proxy.url + link);
  await bo.page.keyboard.press("Enter");
  await bo.connected("joined");
  await ada.stage(await here.files.file("by key.txt", 100));
  await ada.send();
  await bo.transfer("by key.txt").waitFor();
  await tabTo(bo, "accept");
  await bo.page.keyboard.press("Enter");
  expect((await bo.download()).name).toBe("by key.txt");

  // And back: a file chosen, a note, sent.
  await bo.page.evaluate(() => Reflect.deleteProperty(window, "showOpenFilePicker"));
  // Asked for well before the key is pressed, or the browser may open a window of its own.
  const choosing = bo.page.waitForEvent("filechooser");
  await tabTo(bo, "attach");
  await bo.page.keyboard.press("Enter");
  await tabTo(bo, "choose");
  await bo.page.keyboard.press("Enter");
  await (await choosing).setFiles(await here.files.file("back.txt", 5));
  await bo.page.getByTestId("tray").waitFor();
  await tabTo(bo, "note");
  await bo.page.keyboard.type("here you are");
  await bo.page.keyboard.press("Enter");
  await ada.transfer("back.txt").waitFor();
  await ada.page.getByTestId("drop-note").filter({ hasText: "here you are" }).waitFor();
});

test("Enter takes the newest offer and Escape refuses it, but not while one writes", async () => {
  const { ada, bo } = await here.meetSealed();
  await ada.stage(await here.files.file("one.txt", 5));
  await ada.send();
  await bo.transfer("one.txt").waitFor();
  await bo.page.bringToFront();
  await bo.page.getByTestId("say").focus();
  await bo.page.keyboard.press("Escape");
  await bo.reads("one.txt", "offered");
  await bo.page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await bo.page.keyboard.press("Enter");
  expect((await bo.download()).name).toBe("one.txt");
  await ada.stage(await here.files.file("two.txt", 5));
  await ada.send();
  await bo.transfer("two.txt").waitFor();
  await bo.page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await bo.page.keyboard.press("Escape");
  await bo.reads("two.txt", "rejected by you");
});

test("nothing moves for whoever asks for less motion", async () => {
  const { ada, bo } = await here.meetSealed();
  await bo.page.emulateMedia({ reducedMotion: "reduce" });
  await ada.stage(await here.files.file("still.txt", 5));
  await ada.send();
  await bo.transfer("still.txt").waitFor();
  await bo.page.getByTestId("share").click();
  await bo.page.getByTestId("share-dialog").waitFor();
  const moving = await bo.page.evaluate(() =>
    [...document.querySelectorAll("*")]
      .filter((one) => {
        const { animationName, animationDuration, transitionDuration } = getComputedStyle(one);
        const longest = Math.max(
          ...`${animationDuration},${transitionDuration}`.split(",").map(Number.parseFloat),
        );
        return longest > 0.05 && (animationName !== "none" || Number.parseFloat(transitionDuration) > 0.05);
      })
      .map((one) => `${one.tagName}.${one.className}`),
  );
  expect(moving).toEqual([]);
});

test("everything is said in Chinese to whoever reads Chinese", async () => {
  const { ada, bo } = await here.meetSealed();
  await bo.page.getByTestId("menu").click();
  await bo.page.getByTestId("language").selectOption("zh");
  await expect.poll(() => bo.page.evaluate(() => document.documentElement.lang)).toMatch(/^zh/);
  await ada.stage(await here.files.file("文件.pdf", 2000));
  await ada.send();
  await bo.transfer("文件.pdf").waitFor();
  expect(await latin(bo), "in the room").toEqual([]);
  await bo.page.keyboard.press("Escape");
  await bo.page.getByTestId("share").click();
  await bo.page.getByTestId("invite").first().waitFor();
  expect(await latin(bo), "in the share dialog").toEqual([]);
  await nobodyShutOut(bo.page, "Chinese");
  await bo.page.goto(bo.proxy.url);
  await bo.page.getByTestId("make-room").waitFor();
  expect(await latin(bo), "on the front page").toEqual([]);
});

/** Moves on by Tab until what is called `testId` has the focus. */
async function tabTo(person: Person, testId: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await person.page.keyboard.press("Tab");
    const focused = await person.page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
    if (focused === testId) return;
  }
  throw new Error(`${testId} is not reached by Tab`);
}

/** What the page says of itself in Latin words: texts and labels, but for names, units, keys and codes. */
function latin(person: Person): Promise<string[]> {
  return person.page.evaluate(() => {
    const words = /[A-Za-z]{3,}/;
    const own =
      ".code, .mark, select, option, .who-name, .person-name, .self-name, .people-face-name, kbd, .file-name";
    const said = [...document.querySelectorAll("body *")].filter(
      (one) => !one.closest(own) && !one.closest("script, noscript"),
    );
    const texts = said.flatMap((one) => [
      ...[...one.childNodes]
        .filter(({ nodeType }) => nodeType === 3)
        .map(({ textContent }) => textContent ?? ""),
      ...["aria-label", "title", "placeholder"].map((name) => one.getAttribute(name) ?? ""),
    ]);
    return texts
      .map((text) => text.replace(/roomdrop|Ada|Bo|ZIP|Enter|Esc|QR|https|[a-z]+-[a-z]+-\d+|\.pdf/g, ""))
      .filter((text) => words.test(text));
  });
}
