/** The main job in real browsers: drop, accept, and the same bytes arrive. */
import { expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import { party } from "./party";

const here = party();

test("a small file that is accepted arrives byte for byte", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("small.txt", 12_345);
  await ada.offer(path);
  await bo.reads("small.txt", "offered to you");
  await bo.shoot("offer");
  await bo.press("small.txt", "accept");
  const got = await bo.download();
  expect(got.name).toBe("small.txt");
  expect(await sha256(got.path)).toBe(await sha256(path));
  await bo.reads("small.txt", "received");
  await ada.readsOf("small.txt", "Bo", "has all of it");
  await ada.reads("small.txt", "everyone who accepted has it");
  expect([ada.carried, bo.carried]).toEqual(["websocket", "websocket"]);
});

test("a large file arrives byte for byte through the private file system", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("large.bin", 64 * MIB + 3);
  await ada.offer(path);
  bo.proxy.pace(20 * MIB);
  await bo.press("large.bin", "accept");
  await bo.doneAtLeast("large.bin", 20 * MIB);
  await bo.shoot("receiving");
  await ada.shoot("sending");
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  const got = await bo.download();
  expect(await sha256(got.path)).toBe(await sha256(path));
  await ada.readsOf("large.bin", "Bo", "has all of it");
});

test("the digest of the whole is told by both, and checked", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(await here.files.file("checked.bin", 20 * MIB));
  await bo.press("checked.bin", "accept");
  await bo.download();
  const digestIn = (said: readonly string[], event: string) =>
    said.flatMap((one) => (one.includes(`"${event}"`) ? (/blake3:[0-9a-f]{64}/.exec(one)?.[0] ?? []) : []));
  await expect.poll(() => digestIn(ada.said, "source:end")).toHaveLength(1);
  expect(digestIn(bo.said, "sink:done")).toEqual(digestIn(ada.said, "source:end"));
});

test("an empty file arrives too", async () => {
  const { ada, bo } = await here.meet();
  await ada.offer(await here.files.file("empty", 0));
  await bo.press("empty", "accept");
  const got = await bo.download();
  expect(await sha256(got.path)).toBe(await sha256(`${here.files.directory}/empty`));
});

test("all files of an offer are accepted at once", async () => {
  const { ada, bo } = await here.meet();
  const paths = await Promise.all([1, 2, 3].map((n) => here.files.file(`part ${n}.bin`, n * MIB)));
  await ada.offer(...paths);
  await bo.page.getByTestId("accept-all").click();
  const got = [await bo.download(), await bo.download(), await bo.download()];
  const hashes = await Promise.all(got.map(async ({ name, path }) => [name, await sha256(path)]));
  const sent = await Promise.all(paths.map(async (path, n) => [`part ${n + 1}.bin`, await sha256(path)]));
  expect(hashes.sort()).toEqual(sent.sort());
});

test("everyone in the room who accepts gets it, the late ones too", async () => {
  const { ada, bo, room } = await here.meet();
  const path = await here.files.file("for all.bin", 20 * MIB);
  await ada.offer(path);
  await bo.press("for all.bin", "accept");
  await ada.reads("for all.bin", "everyone who accepted has it");
  const cy = await (await here.person("Cy")).enter(room);
  await cy.press("for all.bin", "accept");
  const want = await sha256(path);
  expect(await sha256((await bo.download()).path)).toBe(want);
  expect(await sha256((await cy.download()).path)).toBe(want);
});

test("an offer to one member is shown to that member alone", async () => {
  const { ada, bo, room } = await here.meet();
  const cy = await (await here.person("Cy")).enter(room);
  await ada.stage(await here.files.file("for bo.txt", 10));
  await ada.page.locator("[data-testid=to-member][data-name=Bo]").click();
  await ada.send();
  await bo.reads("for bo.txt", "offered to you");
  await ada.stage(await here.files.file("for everyone.txt", 10));
  await ada.page.getByTestId("to-everyone").click();
  await ada.send();
  await cy.reads("for everyone.txt", "offered to you");
  expect(await cy.transfer("for bo.txt").count()).toBe(0);
});

test("where WebSockets do not pass, long polling carries the bytes", async () => {
  const [ada, bo] = [await here.person("Ada"), await here.person("Bo")];
  for (const one of [ada, bo]) {
    one.proxy.refuseWebSockets();
    await one.enter("polling-room");
  }
  const path = await here.files.file("polled.bin", 24 * MIB + 1);
  await ada.offer(path);
  await bo.press("polled.bin", "accept");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  expect([ada.carried, bo.carried]).toEqual(["polling", "polling"]);
});

test("the browser's own download gets the same bytes over HTTP", async () => {
  const { ada, bo } = await here.meet();
  const path = await here.files.file("über “quotes”.bin", 30 * MIB);
  await ada.offer(path);
  await bo.press("über “quotes”.bin", "download");
  const got = await bo.download();
  expect(got.name).toBe("über “quotes”.bin");
  expect(await sha256(got.path)).toBe(await sha256(path));
  await bo.reads("über “quotes”.bin", "received");
  await ada.readsOf("über “quotes”.bin", "Bo", "has all of it");
});
