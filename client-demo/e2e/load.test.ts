// What the first sight of the page loads. What a wide window shows beside a room, its QR code, comes after it.
import { expect, test } from "vitest";
import { freshAndSlow, scriptOf } from "./load";
import { party } from "./party";

const here = party();

test("the first load is less than 80 kB of compressed script, on the front page and in a room", async () => {
  const ada = await here.person("Ada");
  await ada.page.setViewportSize({ width: 390, height: 780 });
  await freshAndSlow(ada.page, 1);
  await ada.page.goto(ada.proxy.url);
  await ada.page.getByTestId("make-room").waitFor();
  const front = await scriptOf(ada.page);
  await ada.page.goto(`${ada.proxy.url}/rooms/first-load`);
  await ada.connected("joined");
  for (const script of [front, await scriptOf(ada.page)]) {
    expect(script).toBeGreaterThan(10_000);
    expect(script).toBeLessThan(80_000);
  }
});
