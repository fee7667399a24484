/** The answer to offers: some of the files or all of them; watched before they are saved; past the page to disk. */
import { expect, test } from "vitest";
import { MIB } from "./files";
import type { Person } from "./Person";
import { party } from "./party";
import { DAWN, draw } from "./shots/pictures";

const here = party();

async function some(count: number, size: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, one) => here.files.file(`part-${one}.bin`, size)));
}

/** Waits until the newest offer as a whole stands at `stage`. */
async function stands(person: Person, stage: string): Promise<void> {
  await person.page.locator(`[data-testid=drop][data-stage=${stage}]`).last().waitFor();
}

test("some of several files are accepted, and the others still may be", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(...(await some(3, 1000)));
  const rows = bo.page.getByTestId("choose-one");
  await rows.nth(1).uncheck();
  await bo.page.getByTestId("accept-all").filter({ hasText: "2 files" }).click();
  const names = [(await bo.download()).name, (await bo.download()).name];
  expect(names.sort()).toEqual(["part-0.bin", "part-2.bin"]);
  await bo.reads("part-1.bin", "offered to you");
  // Files may be saved before the card shows that they are.
  await expect.poll(() => rows.count()).toBe(1);
  await rows.first().check();
  await bo.page.getByTestId("accept-all").filter({ hasText: "1 file" }).click();
  expect((await bo.download()).name).toBe("part-1.bin");
  await stands(bo, "done");
  await bo.page.getByTestId("all-verified").waitFor();
});

test("hundreds of files are accepted with one word, and land as one ZIP", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(...(await some(400, 100)));
  await bo.page.getByTestId("show-files").click();
  await bo.page.getByTestId("long-list").waitFor();
  expect(await bo.page.getByTestId("transfer").count()).toBeLessThan(60);
  await bo.page.getByTestId("accept-all").click();
  await stands(bo, "done");
  expect((await bo.download()).name).toMatch(/\.zip$/);
  expect(bo.downloads).toBe(0);
  await ada.page
    .locator("[data-testid=receiver][data-name=Bo]")
    .filter({ hasText: "has all of it" })
    .waitFor();
});

test("a whole drop is paused, goes on, and is cancelled with one button each", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(...(await some(3, 24 * MIB)));
  bo.proxy.pace(4 * MIB);
  await bo.page.getByTestId("accept-all").click();
  await stands(bo, "moving");
  await bo.page.getByTestId("pause-all").click();
  await stands(bo, "held");
  await bo.page.getByTestId("resume-all").click();
  await stands(bo, "moving");
  await ada.page.getByTestId("cancel-all").click();
  await stands(ada, "over");
  await stands(bo, "over");
  expect(bo.downloads).toBe(0);
});

test("a picture is seen small in its offer, and large from its sender's hands before it is saved", async () => {
  for (const meet of [() => here.meet(), () => here.meetSealed()]) {
    const { ada, bo } = await meet();
    await ada.stage(await draw(ada.page, DAWN, `${here.files.directory}/dawn.jpg`, 900));
    await ada.page.getByTestId("preview").waitFor();
    await ada.send();
    await bo.transfer("dawn.jpg").getByTestId("preview").waitFor();
    await bo.press("dawn.jpg", "play");
    const width = () =>
      bo.page.getByTestId("player").evaluate((picture) => (picture as HTMLImageElement).naturalWidth);
    await expect.poll(width).toBe(900);
    expect(bo.downloads).toBe(0);
    await bo.page.getByTestId("stop-watching").click();
    await bo.page.getByTestId("player").waitFor({ state: "detached" });
  }
});

test("what has arrived is said to be verified, and its sender sees it apart from what was sent", async () => {
  const { ada, bo } = await here.meetSealed();
  bo.proxy.pace(4 * MIB);
  await ada.offer(await here.files.file("slow.bin", 12 * MIB));
  await bo.press("slow.bin", "accept");
  await ada.reads("slow.bin", "all sent; being received");
  await ada.readsOf("slow.bin", "Bo", "receiving");
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await ada.readsOf("slow.bin", "Bo", "has all of it");
  await bo.transfer("slow.bin").getByTestId("verified").waitFor();
});

test("what does not fit in the browser is said before it is accepted, and goes straight to disk", async () => {
  const { ada, bo } = await here.meetSealed();
  await bo.page.evaluate(() => {
    navigator.storage.estimate = async () => ({ quota: 1_000_000, usage: 999_000 });
  });
  await ada.offer(...(await some(2, 20 * MIB)));
  const warning = bo.page.getByTestId("no-fit").filter({ hasText: "needs 41.9 MB" });
  await warning.getByTestId("save-straight").click();
  expect((await bo.download()).name).toMatch(/\.zip$/);
  await stands(bo, "done");
  expect(bo.downloads).toBe(0);
});
