/** Links that the server downloads: pasted by one, received by another, through a lost link and a reload. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import type { Person } from "./Person";
import { party } from "./party";

const BYTES = randomBytes(24 * MIB);
const TAG = '"one"';

const here = party();
let origin: Server;
let base = "";

beforeAll(async () => {
  origin = createServer((request, response) => {
    if (request.url === "/gone") {
      response.writeHead(404).end();
      return;
    }
    const from = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
    response.writeHead(206, {
      etag: TAG,
      "content-length": BYTES.length - from,
      "content-range": `bytes ${from}-${BYTES.length - 1}/${BYTES.length}`,
    });
    response.end(BYTES.subarray(from));
  });
  await new Promise<void>((done) => origin.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
});

afterAll(() => {
  origin.closeAllConnections();
  origin.close();
});

const row = (person: Person, name: string) =>
  person.page.locator(`[data-testid=fetch-row][data-name="${name}"]`);

async function paste(person: Person, ...links: string[]): Promise<void> {
  await person.choose("attach", "from-link");
  await person.page.getByTestId("links").fill(links.join("\n"));
  await person.page.getByTestId("fetch").click();
}

test("a link is downloaded for whoever accepts, and the one who pasted it sees how it goes", async () => {
  const { ada, bo } = await here.meet();
  await paste(ada, `${base}/film.bin`, `${base}/gone`);
  const failed = row(ada, `${base}/gone`);
  await failed.getByTestId("fetch-error").filter({ hasText: "404" }).waitFor();
  await bo.transfer("film.bin").waitFor();
  bo.proxy.pace(4 * MIB);
  await bo.press("film.bin", "accept");
  await bo.doneAtLeast("film.bin", MIB);
  await row(ada, "film.bin").getByTestId("fetch-words").filter({ hasText: "downloading" }).waitFor();
  await ada.page.reload();
  await ada.connected("joined");
  await row(ada, "film.bin").getByTestId("fetch-words").filter({ hasText: "downloading" }).waitFor();
  await ada.shoot("fetch");
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  const { path } = await bo.download();
  expect(await sha256(path)).toBe(createHash("sha256").update(BYTES).digest("hex"));
  await row(ada, "film.bin")
    .getByTestId("fetch-words")
    .filter({ hasText: "everyone who accepted has it" })
    .waitFor();
});

test("a download is stopped by the one who asked for it", async () => {
  const { ada, bo } = await here.meet();
  await paste(ada, `${base}/unwanted.bin`);
  await bo.transfer("unwanted.bin").waitFor();
  bo.proxy.pace(2 * MIB);
  await bo.press("unwanted.bin", "accept");
  await bo.doneAtLeast("unwanted.bin", MIB);
  await row(ada, "unwanted.bin").getByTestId("fetch-end").click();
  await row(ada, "unwanted.bin").getByTestId("fetch-words").filter({ hasText: "stopped" }).waitFor();
  await bo.reads("unwanted.bin", "cancelled by the sender");
  await row(ada, "unwanted.bin").getByTestId("fetch-end").click();
  await row(ada, "unwanted.bin").waitFor({ state: "detached" });
});
