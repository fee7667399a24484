/**
 * The README's pictures, made anew by `npm run screenshots` and not by any test: people in a room, as they would use
 * it. Chromium writes them as WebP. It refuses to make pictures with boxes where faces should be.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, open, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Person } from "../Person";
import { party } from "../party";
import { DAWN, draw, LAKE, NIGHT } from "./pictures";

const OUTPUT = new URL("../../screenshots/", import.meta.url).pathname;
/** Bytes of one picture, at most: a README is read on phones, too. */
const LARGEST = 120_000;
const MB = 1_000_000;
const DESKTOP = { width: 1280, height: 860, deviceScaleFactor: 1.5, mobile: false };
const PHONE = { width: 390, height: 780, deviceScaleFactor: 2, mobile: true };

const here = party();

interface Scene {
  name: string;
  size: typeof DESKTOP;
  theme: "light" | "dark";
}

async function someone(name: string, avatar: string): Promise<Person> {
  const person = await here.person(name);
  await person.page.addInitScript(
    (self) => {
      if (location.protocol !== "http:") return;
      for (const [key, value] of Object.entries(self)) localStorage.setItem(`roomdrop|${key}`, value);
    },
    { name, avatar },
  );
  return person;
}

async function enter(link: string, ...people: Person[]): Promise<void> {
  for (const one of people) {
    await one.page.goto(one.proxy.url + link);
    await one.connected("joined");
  }
}

async function say(person: Person, text: string): Promise<void> {
  await person.page.getByTestId("say").fill(text);
  await person.page.getByTestId("say").press("Enter");
  await person.page.getByTestId("message").filter({ hasText: text }).waitFor();
}

/** A file of `size` zero bytes that takes no room on the disk. */
async function large(name: string, size: number): Promise<string> {
  const path = `${here.files.directory}/${name}`;
  const file = await open(path, "w");
  await file.truncate(size);
  await file.close();
  return path;
}

async function shoot(person: Person, { name, size, theme }: Scene): Promise<void> {
  const { page } = person;
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  const browser = await page.context().newCDPSession(page);
  await browser.send("Emulation.setTouchEmulationEnabled", { enabled: size.mobile });
  await browser.send("Emulation.setDeviceMetricsOverride", size);
  await page
    .getByTestId("timeline")
    .evaluate((timeline) => timeline.scrollTo({ top: timeline.scrollHeight }));
  await page.evaluate(() => document.fonts.ready);
  for (const quality of [90, 80, 70, 55]) {
    const { data } = await browser.send("Page.captureScreenshot", { format: "webp", quality });
    const picture = Buffer.from(data, "base64");
    if (picture.length > LARGEST) continue;
    await mkdir(OUTPUT, { recursive: true });
    return writeFile(`${OUTPUT}${name}.webp`, picture);
  }
  throw new Error(`${name} is larger than ${LARGEST} bytes at any quality`);
}

test("pictures of a room", async () => {
  const fonts = execFileSync("fc-list", [":charset=1f98a", "family"]).toString();
  expect(fonts, "a font with emoji is needed, such as Debian's fonts-noto-color-emoji").toMatch(/emoji/i);

  const [ada, mira, li] = [
    await someone("Ada", "🦊"),
    await someone("Mira", "🦉"),
    await someone("李雷", "🐼"),
  ];
  const room = `/rooms/calm-otter-4217#${randomBytes(32).toString("base64url")}`;
  await enter(room, ada, mira, li);

  await say(mira, "Here are the pictures from the weekend. The full album follows when I am home.");
  const pictures = await Promise.all(
    (
      [
        ["Dawn over the hills.jpg", DAWN],
        ["At the lake.jpg", LAKE],
        ["Midnight.jpg", NIGHT],
      ] as const
    ).map(([name, landscape]) => draw(mira.page, landscape, `${here.files.directory}/${name}`)),
  );
  await mira.stage(...pictures);
  await expect.poll(() => mira.page.getByTestId("tray").getByTestId("preview").count()).toBe(3);
  await mira.send();
  await li.page.getByTestId("accept-all").waitFor();
  await shoot(li, { name: "phone-offer-dark", size: PHONE, theme: "dark" });
  await ada.page.getByTestId("accept-all").click();
  await ada.page.getByTestId("all-verified").waitFor();

  await say(ada, "Lovely! This is the film, straight from the camera.");
  mira.proxy.pace(18 * MB);
  li.proxy.pace(9 * MB);
  await ada.offer(await large("Across the lake.mp4", 480 * MB));
  await mira.press("Across the lake.mp4", "accept");
  await li.press("Across the lake.mp4", "accept");
  await li.doneAtLeast("Across the lake.mp4", 120 * MB);
  // Said once, and not on every picture.
  for (const one of [ada, li]) await one.page.getByTestId("notify-no").click();
  await shoot(ada, { name: "room-light", size: DESKTOP, theme: "light" });
  await shoot(ada, { name: "room-dark", size: DESKTOP, theme: "dark" });
  await shoot(li, { name: "phone-receiving-light", size: PHONE, theme: "light" });
  await ada.page.getByTestId("share").click();
  await ada.page.getByTestId("share-dialog").getByTestId("qr").waitFor();
  await shoot(ada, { name: "phone-share-light", size: PHONE, theme: "light" });
});
