/** How others come in: the link with its secret, its QR code, and the rooms where one was before. */
import decodeQR from "qr/decode.js";
import { expect, test } from "vitest";
import type { Person } from "./Person";
import { party } from "./party";

const here = party();

/** Pixels of one module of a code that is read. */
const SCALE = 4;

/** What a camera would read. */
async function scanned(person: Person): Promise<string> {
  const code = person.page.getByTestId("share-dialog").getByTestId("qr");
  const [box, path] = [await code.getAttribute("viewBox"), await code.locator("path").getAttribute("d")];
  const size = Number(box?.split(" ")[2]) * SCALE;
  const data = new Uint8ClampedArray(size * size * 4).fill(255);
  for (const [, x, y] of (path ?? "").matchAll(/M(\d+) (\d+)h/g)) {
    for (let row = 0; row < SCALE; row++) {
      const from = ((Number(y) * SCALE + row) * size + Number(x) * SCALE) * 4;
      for (let at = from; at < from + SCALE * 4; at += 4) data.fill(0, at, at + 3);
    }
  }
  return decodeQR({ width: size, height: size, data });
}

test("the link that is shared, and its QR code, have the room's secret, and the server never hears of it", async () => {
  const ada = await here.person("Ada");
  const asked: string[] = [];
  ada.page.on("request", (request) => asked.push(request.url()));
  const link = await ada.startSealed();
  expect(link).toMatch(/^\/rooms\/[a-z]+-[a-z]+-\d+#[A-Za-z0-9_-]{43}$/);
  await ada.page.getByTestId("share").click();
  await ada.page.getByTestId("share-dialog").getByTestId("qr").waitFor();
  expect(await scanned(ada)).toBe(ada.proxy.url + link);
  await ada.page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: ada.proxy.url });
  await ada.page.bringToFront();
  await ada.page.getByTestId("share-dialog").getByTestId("copy-link").click();
  await expect.poll(() => ada.page.evaluate(() => navigator.clipboard.readText())).toBe(ada.proxy.url + link);
  const secret = link.split("#")[1] ?? "";
  expect([...asked, ...ada.said].filter((one) => one.includes(secret))).toEqual([]);
});

test("a link of which the half was lost is refused, and the whole one opens the room", async () => {
  const ada = await here.person("Ada");
  const link = await ada.startSealed();
  const bo = await here.person("Bo");
  await bo.page.goto(bo.proxy.url + link.slice(0, -9));
  await bo.page.getByTestId("refused").filter({ hasText: "not whole" }).waitFor();
  await bo.page.getByTestId("whole-link").fill(ada.proxy.url + link);
  await bo.page.getByTestId("unlock").click();
  await bo.connected("joined");
  await expect.poll(() => ada.page.getByTestId("member").count()).toBe(2);
});

test("whether a room is encrypted is said in its bar, and explained", async () => {
  const { ada } = await here.meet();
  const seal = ada.page.getByTestId("seal");
  expect(await seal.getAttribute("data-seal")).toBe("none");
  await seal.click();
  await ada.page.getByTestId("seal-dialog").filter({ hasText: "not encrypted" }).waitFor();
  await ada.page.getByTestId("start-sealed").click();
  await ada.page.locator("[data-testid=seal][data-seal=open]").waitFor();
});
