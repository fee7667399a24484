/** Live sound in real browsers: heard while it is made, and whole when it has ended. */
import { expect, test } from "vitest";
import { party } from "./party";

const here = party();

test("a microphone is heard live, until it is ended", async () => {
  const { ada, bo } = await here.meet();
  await ada.choose("attach", "go-live");
  const offered = bo.page.getByTestId("transfer");
  await offered.waitFor();
  const name = (await offered.getAttribute("data-name")) ?? "";
  expect(name).toMatch(/^Live /);
  await bo.reads(name, "offered to you");
  await bo.press(name, "play");
  const player = bo.page.getByTestId("player");
  await player.waitFor();
  const heard = () => player.evaluate((audio) => (audio as HTMLMediaElement).currentTime);
  await expect.poll(heard, { timeout: 60_000 }).toBeGreaterThan(2);
  await bo.shoot("live-listener");
  await ada.shoot("live-speaker");
  await ada.page.getByTestId("end-live").click();
  await ada.reads(name, "everyone who accepted has it");
  const ended = () => player.evaluate((audio) => (audio as HTMLMediaElement).ended);
  await expect.poll(ended, { timeout: 60_000 }).toBe(true);
  expect(await ada.page.getByTestId("live").count()).toBe(0);
});
