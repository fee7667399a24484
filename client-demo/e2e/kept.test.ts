/** Drops that the server keeps: for whoever comes when their sender is gone, until that one deletes them. */
import { expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import type { Person } from "./Person";
import { party } from "./party";

const here = party();

async function keep(person: Person, path: string): Promise<void> {
  await person.stage(path);
  await person.page.getByTestId("keep").check();
  await person.send();
}

/** Waits until the row of `name` says `words` about the copy. */
async function copyReads(person: Person, name: string, words: string | RegExp): Promise<void> {
  await person.transfer(name).getByTestId("copy-words").filter({ hasText: words }).waitFor();
}

test("who comes when the sender is gone gets what was kept", async () => {
  const { ada, bo, room } = await here.meet();
  const path = await here.files.file("for later.bin", 9 * MIB + 7);
  await ada.page.getByTestId("say").fill("for whoever comes later");
  await keep(ada, path);
  await bo.page.getByTestId("drop-note").filter({ hasText: "for whoever comes later" }).waitFor();
  await copyReads(ada, "for later.bin", /^stored until \S/);
  await copyReads(bo, "for later.bin", /^stored until \S/);
  await ada.shoot("kept-sender");
  await ada.leaveRoom();
  await expect.poll(() => bo.page.getByTestId("member").count()).toBe(1);
  await bo.leaveRoom();
  const cy = await (await here.person("Cy")).enter(room);
  await copyReads(cy, "for later.bin", /^stored until \S/);
  await cy.page.getByTestId("drop").getByText("Ada").waitFor();
  await cy.shoot("kept");
  await cy.page.setViewportSize({ width: 360, height: 700 });
  await cy.shoot("kept-phone");
  const [wide, window] = await cy.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(wide).toBeLessThanOrEqual(window ?? 0);
  await cy.press("for later.bin", "accept");
  expect(await sha256((await cy.download()).path)).toBe(await sha256(path));
});

test("while it is being stored it says so, and whoever is there gets it live", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("slow.bin", 48 * MIB);
  ada.proxy.paceUp(8 * MIB);
  await keep(ada, path);
  await copyReads(bo, "slow.bin", "being stored");
  await bo.press("slow.bin", "accept");
  await bo.doneAtLeast("slow.bin", MIB);
  await ada.shoot("storing");
  ada.proxy.paceUp(Number.POSITIVE_INFINITY);
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  await copyReads(ada, "slow.bin", /^stored until/);
});

test("the sender deletes what it had kept, after a reload too", async () => {
  const { ada, bo } = await here.meet();
  await keep(ada, await here.files.file("regretted.txt", 100));
  await copyReads(ada, "regretted.txt", /^stored until/);
  await ada.page.reload();
  await ada.connected("joined");
  await ada.reads("regretted.txt", "waiting for someone to accept");
  await ada.press("regretted.txt", "delete");
  await bo.reads("regretted.txt", "cancelled by the sender");
  expect(await bo.transfer("regretted.txt").getByTestId("copy-words").count()).toBe(0);
});

test("what cannot be stored says why, and goes on live", async () => {
  const { ada, bo } = await here.meet();
  await keep(ada, await here.files.file("before.txt", 10));
  await copyReads(ada, "before.txt", /^stored until/);
  await here.server.breakStorage();
  const path = await here.files.file("unstored.txt", 1000);
  await keep(ada, path);
  await copyReads(bo, "unstored.txt", "could not be stored");
  await ada
    .transfer("unstored.txt")
    .getByTestId("copy-error")
    .filter({ hasText: /^It is not kept\. / })
    .waitFor();
  await bo.press("unstored.txt", "accept");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  await ada.shoot("not-stored");
});
