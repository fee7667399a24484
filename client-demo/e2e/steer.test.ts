/** Pause, resume, cancel and reject, by either side. */
import { truncate } from "node:fs/promises";
import { expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import type { Person } from "./Person";
import { party } from "./party";

const SIZE = 100 * MIB;
/** Slow enough that a person can act in the middle. */
const PACE = 20 * MIB;

const here = party();

/** A transfer of `name` from Ada to Bo that is in its middle, and slow. */
async function underWay(name: string): Promise<{ ada: Person; bo: Person; path: string }> {
  const { ada, bo } = await here.meet();
  const path = await here.files.file(name, SIZE);
  await ada.offer(path);
  await bo.transfer(name).waitFor();
  bo.proxy.pace(PACE);
  await bo.press(name, "accept");
  await bo.doneAtLeast(name, 4 * MIB);
  return { ada, bo, path };
}

/** Waits until nothing comes down to `person` any more. */
async function still(person: Person): Promise<void> {
  let last = -1;
  await expect
    .poll(
      () => {
        const moved = person.proxy.down - last;
        last = person.proxy.down;
        return moved;
      },
      { interval: 700 },
    )
    // Pings and statuses still come, bytes of the file do not.
    .toBeLessThan(20_000);
}

test("a receiver pauses and resumes its own part", async () => {
  const { ada, bo, path } = await underWay("paused.bin");
  await bo.press("paused.bin", "pause");
  await bo.reads("paused.bin", "paused by you");
  await ada.readsOf("paused.bin", "Bo", "paused");
  await still(bo);
  await bo.shoot("paused");
  expect(await bo.done("paused.bin")).toBeLessThan(SIZE);
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await bo.press("paused.bin", "resume");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
});

test("a sender pauses and resumes the whole transfer", async () => {
  const { ada, bo, path } = await underWay("held.bin");
  await ada.press("held.bin", "pause");
  await ada.reads("held.bin", "paused by you");
  await bo.reads("held.bin", "paused by the sender");
  await still(bo);
  expect(await bo.done("held.bin")).toBeLessThan(SIZE);
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await ada.press("held.bin", "resume");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
});

test("a receiver cancels its own part, and may accept again", async () => {
  const { ada, bo, path } = await underWay("given up.bin");
  await bo.press("given up.bin", "cancel");
  await bo.reads("given up.bin", "cancelled by you");
  await ada.readsOf("given up.bin", "Bo", "cancelled");
  await still(bo);
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await bo.press("given up.bin", "accept");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
});

test("a sender cancels the whole transfer", async () => {
  const { ada, bo } = await underWay("called off.bin");
  await ada.press("called off.bin", "cancel");
  await bo.reads("called off.bin", "cancelled by the sender");
  await ada.reads("called off.bin", "cancelled by you");
  await still(bo);
  expect(bo.downloads).toBe(0);
});

test("a receiver rejects, and the sender sees it", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(await here.files.file("unwanted.txt", 10));
  await bo.press("unwanted.txt", "reject");
  await bo.reads("unwanted.txt", "rejected by you");
  await ada.readsOf("unwanted.txt", "Bo", "rejected");
});

test("a file that changes while it is sent fails with words for both", async () => {
  const { ada, bo, path } = await underWay("changing.bin");
  await truncate(path, 1000);
  await ada.reads("changing.bin", "failed");
  await ada.transfer("changing.bin").getByTestId("transfer-error").filter({ hasText: "changed" }).waitFor();
  await bo.reads("changing.bin", "failed");
  await bo.transfer("changing.bin").getByTestId("transfer-error").waitFor();
  expect(bo.downloads).toBe(0);
});
