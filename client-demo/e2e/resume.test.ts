/** Lost links and reloaded pages: what was received stays, and the transfer goes on by itself. */
import { expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import { party } from "./party";

/** Bytes of the file that everything happens to; `E2E_SIZE` makes it a big one. */
const SIZE = Number(process.env.E2E_SIZE ?? 48 * MIB) + 7;
const MIDDLE = Math.floor(SIZE / 2);

const here = party();

test("a receiver whose link is cut in the middle goes on from what it holds", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("cut.bin", SIZE);
  await ada.offer(path);
  await bo.transfer("cut.bin").waitFor();
  const cut = bo.proxy.cutAfter(MIDDLE);
  await bo.press("cut.bin", "accept");
  await cut;
  await bo.connected("offline");
  await bo.shoot("offline");
  const before = bo.proxy.down;
  bo.proxy.mend();
  await bo.connected("joined");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  // From what it held, not from the start: a window may come twice, the first half may not.
  expect(bo.proxy.down - before).toBeLessThan(SIZE - MIDDLE + 16 * MIB);
});

test("a sender whose link is cut in the middle goes on by itself", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("cut sender.bin", SIZE);
  await ada.offer(path);
  await bo.transfer("cut sender.bin").waitFor();
  const reached = bo.proxy.reach(MIDDLE);
  await bo.press("cut sender.bin", "accept");
  await reached;
  ada.proxy.cut();
  await ada.connected("offline");
  ada.proxy.mend();
  await ada.connected("joined");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
});

test("a receiver that is cut, and then reloads in the middle, goes on from what is on disk", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("reload.bin", SIZE);
  await ada.offer(path);
  await bo.transfer("reload.bin").waitFor();
  const cut = bo.proxy.cutAfter(MIDDLE / 2);
  await bo.press("reload.bin", "accept");
  await cut;
  await bo.connected("offline");
  const held = bo.proxy.holdAfter(MIDDLE / 2);
  bo.proxy.mend();
  await held;
  // What came through is being written; how much of it was, is what the page then goes on from.
  await bo.doneAtLeast("reload.bin", MIDDLE - 16 * MIB);
  await bo.shoot("before-reload");
  const before = bo.proxy.down;
  await bo.page.reload();
  await bo.connected("joined");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  expect(bo.proxy.down - before).toBeLessThan(SIZE - MIDDLE + 20 * MIB);
  await ada.readsOf("reload.bin", "Bo", "has all of it");
  await bo.shoot("received");
});

test("a receiver that reloads after the end still has the file", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("kept.bin", 40 * MIB);
  await ada.offer(path);
  await bo.press("kept.bin", "accept");
  await bo.download();
  await bo.page.reload();
  await bo.reads("kept.bin", "received");
  expect(bo.downloads).toBe(0);
  await bo.press("kept.bin", "save");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
});

test("a sender that reloads in the middle goes on when the same file is chosen again", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("again.bin", SIZE);
  const other = await here.files.file("other.bin", 10);
  await ada.offer(path);
  await bo.transfer("again.bin").waitFor();
  const reached = bo.proxy.reach(MIDDLE);
  bo.proxy.pace(MIDDLE);
  await bo.press("again.bin", "accept");
  await reached;
  await ada.page.reload();
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await ada.reads("again.bin", "choose the file again");
  const chooser = ada.transfer("again.bin").getByTestId("supply-files");
  await chooser.setInputFiles([other]);
  await ada.page
    .getByTestId("problems")
    .filter({ hasText: "This is not the file that was offered" })
    .waitFor();
  await chooser.setInputFiles([path]);
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  await ada.readsOf("again.bin", "Bo", "has all of it");
});
