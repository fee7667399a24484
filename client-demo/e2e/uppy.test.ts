/** Uppy as it comes, on a page of another origin: what it uploads is a kept drop of the room it names. */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import { party } from "./party";

const SIZE = 24 * MIB + 7;

const here = party();
let pages: HttpServer;

beforeAll(async () => {
  const script = await bundle(new URL("./uppyPage.ts", import.meta.url).pathname);
  pages = createServer(({ url }, response) => {
    const [type, body] = url?.startsWith("/page.js")
      ? ["text/javascript", script]
      : ["text/html", '<input type="file"><script type="module" src="/page.js"></script>'];
    response.writeHead(200, { "content-type": type }).end(body);
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
});

afterAll(() => {
  pages.close();
});

test("a file that Uppy uploads over a link that is cut is offered in the room, and is whole", async () => {
  const { ada, bo, room } = await here.meet();
  const path = await here.files.file("from uppy.bin", SIZE);
  // A tab of the same browser, whose way to the server is Bo's.
  const page = await bo.page.context().newPage();
  try {
    const { port } = pages.address() as AddressInfo;
    const query = new URLSearchParams({ room, endpoint: `${bo.proxy.url}/tus/` });
    await page.goto(`http://127.0.0.1:${port}/?${query}`);
    await page.locator("input").setInputFiles(path);
    bo.proxy.paceUp(8 * MIB);
    const done = page.evaluate(() => window.uppy?.upload());
    await page.waitForFunction(() => (window.uppy?.getState().totalProgress ?? 0) >= 40);
    bo.proxy.cut();
    bo.proxy.paceUp(Number.POSITIVE_INFINITY);
    bo.proxy.mend();
    expect((await done)?.successful).toHaveLength(1);
  } finally {
    await page.close();
  }
  await ada.press("from uppy.bin", "accept");
  expect(await sha256((await ada.download()).path)).toBe(await sha256(path));
});

async function bundle(entry: string): Promise<string> {
  const made = await build({
    configFile: false,
    logLevel: "warn",
    define: { "process.env.NODE_ENV": '"production"' },
    build: { write: false, minify: false, lib: { entry, formats: ["es"] } },
  });
  const [output] = [made].flat();
  if (!output || !("output" in output)) throw new Error("nothing was bundled");
  return output.output[0].code;
}
