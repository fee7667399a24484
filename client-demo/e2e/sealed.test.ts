/** Rooms with a secret in real browsers: the server learns nothing of what passes, and everything else works as ever. */
import { execFile } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { MIB, sha256 } from "./files";
import { Outsider } from "./Outsider";
import type { Person } from "./Person";
import { party } from "./party";

const here = party();
/** Bytes of the file that links are cut at. */
const SIZE = 48 * MIB + 7;

/** Two people in a fresh room, one of them by the other's link. */
async function meet(): Promise<{ ada: Person; bo: Person; link: string; room: string }> {
  const ada = await here.person("Ada");
  const link = await ada.startSealed();
  const bo = await (await here.person("Bo")).enterSealed(link);
  return { ada, bo, link, room: /rooms\/([^#]+)/.exec(link)?.[1] ?? "" };
}

async function say(person: Person, text: string): Promise<void> {
  await person.page.getByTestId("say").fill(text);
  await person.page.getByTestId("send").click();
}

/** A sound of silence and a beep at its end, of so many minutes: 10 MiB a minute, which any browser plays. */
async function sound(name: string, minutes: number): Promise<string> {
  const path = await here.files.file(name, 0);
  const rate = 44_100;
  const data = Buffer.alloc(minutes * 60 * rate * 4);
  const head = Buffer.alloc(44);
  head.write("RIFF");
  head.writeUInt32LE(36 + data.length, 4);
  head.write("WAVEfmt ", 8);
  for (const [value, at] of [[16, 16] as const, [rate, 24] as const, [rate * 4, 28] as const]) {
    head.writeUInt32LE(value, at);
  }
  for (const [value, at] of [[1, 20] as const, [2, 22] as const, [4, 32] as const, [16, 34] as const]) {
    head.writeUInt16LE(value, at);
  }
  head.write("data", 36);
  head.writeUInt32LE(data.length, 40);
  const file = await open(path, "w");
  await file.write(head);
  await file.write(data);
  await file.close();
  return path;
}

test("what is offered and said is read by who has the link, and by no one else", async () => {
  const { ada, bo, room } = await meet();
  const outsider = await Outsider.enter(here.server.url, room);
  const path = join(here.files.directory, "salary list.txt");
  await writeFile(path, "nobody may know this ".repeat(50_000));
  await say(ada, "meet me at the harbour");
  await bo.page.getByTestId("message").filter({ hasText: "meet me at the harbour" }).waitFor();
  await ada.stage(path);
  await ada.page.getByTestId("note").fill("do not show it around");
  await ada.send();
  await bo.page.getByTestId("drop-note").filter({ hasText: "do not show it around" }).waitFor();
  await bo.shoot("sealed-offer");
  await bo.press("salary list.txt", "accept");
  const got = await bo.download();
  expect(got.name).toBe("salary list.txt");
  expect(await sha256(got.path)).toBe(await sha256(path));
  await bo.transfer("salary list.txt").getByTestId("verified").waitFor();
  await ada.readsOf("salary list.txt", "Bo", "has all of it");

  const [offer] = outsider.offers;
  const onDisk = await outsider.take(offer?.transfers[0]?.transfer ?? "");
  const late = await Outsider.enter(here.server.url, room);
  const wire = [...ada.said, ...bo.said, ...outsider.heard, ...late.heard].join("\n");
  outsider.leave();
  late.leave();
  expect(wire).toContain("sealed:1:");
  expect(wire).not.toMatch(/harbour|salary|show it around|text\/plain|nobody may/);
  expect(wire).not.toContain(new URL(ada.page.url()).hash.slice(1));
  expect(onDisk.length).toBeGreaterThan(1_050_000);
  expect(onDisk.includes("nobody may")).toBe(false);
});

test("who came without the whole link sees that something is locked, and reads it with the link", async () => {
  const { ada, link, room } = await meet();
  const path = await here.files.file("locked.bin", 1000);
  await say(ada, "a word before");
  await ada.offer(path);
  await ada.reads("locked.bin", /./);
  const cy = await (await here.person("Cy")).enter(room);
  const file = cy.page.getByTestId("transfer").filter({ hasText: "Encrypted file" });
  await file.waitFor();
  await cy.page.getByTestId("message").filter({ hasText: "Encrypted message" }).waitFor();
  expect(await file.getByTestId("accept").count()).toBe(0);
  await cy.shoot("locked");
  await cy.page.getByTestId("whole-link").fill(`${cy.proxy.url}${link}`);
  await cy.page.getByTestId("unlock").click();
  await cy.page.getByTestId("message").filter({ hasText: "a word before" }).waitFor();
  await cy.press("locked.bin", "accept");
  expect(await sha256((await cy.download()).path)).toBe(await sha256(path));
});

test("what someone puts into the room without the secret arrives, and is not taken for encrypted", async () => {
  const { bo, room } = await meet();
  const put = fetch(`${here.server.url}/rooms/${room}/plain.txt`, { method: "PUT", body: "in the open" });
  await bo.press("plain.txt", "accept");
  expect(await readFile((await bo.download()).path, "utf8")).toBe("in the open");
  expect((await put).status).toBe(201);
});

test("a receiver that is cut, and then reloads in the middle, goes on from the records on disk", async () => {
  const { ada, bo } = await meet();
  const path = await here.files.file("cut.bin", SIZE);
  await ada.offer(path);
  await bo.transfer("cut.bin").waitFor();
  const cut = bo.proxy.cutAfter(SIZE / 4);
  await bo.press("cut.bin", "accept");
  await cut;
  await bo.connected("offline");
  const held = bo.proxy.holdAfter(SIZE / 4);
  bo.proxy.mend();
  await held;
  await bo.doneAtLeast("cut.bin", SIZE / 2 - 16 * MIB);
  const before = bo.proxy.down;
  await bo.page.reload();
  await bo.connected("joined");
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  expect(bo.proxy.down - before).toBeLessThan(SIZE / 2 + 20 * MIB);
  await bo.transfer("cut.bin").getByTestId("verified").waitFor();
});

test("a sender that reloads in the middle seals the same file the same way", async () => {
  const { ada, bo } = await meet();
  const path = await here.files.file("again.bin", SIZE);
  await ada.offer(path);
  await bo.transfer("again.bin").waitFor();
  const reached = bo.proxy.reach(SIZE / 2);
  bo.proxy.pace(SIZE / 2);
  await bo.press("again.bin", "accept");
  await reached;
  await ada.page.reload();
  bo.proxy.pace(Number.POSITIVE_INFINITY);
  await ada.transfer("again.bin").getByTestId("supply-files").setInputFiles([path]);
  expect(await sha256((await bo.download()).path)).toBe(await sha256(path));
  await bo.transfer("again.bin").getByTestId("verified").waitFor();
});

test("a sealed sound is played and sought while it stays with its sender, by a worker that was ended too", async () => {
  const { ada, bo } = await meet();
  const minutes = 6;
  const path = await sound("long.wav", minutes);
  await ada.offer(path);
  await bo.transfer("long.wav").waitFor();
  const before = bo.proxy.down;
  bo.proxy.pace(8 * MIB);
  await bo.press("long.wav", "play");
  const player = bo.page.getByTestId("player");
  await player.waitFor();
  const at = () => player.evaluate((audio) => (audio as HTMLMediaElement).currentTime);
  await expect.poll(at).toBeGreaterThan(0.2);
  const length = await player.evaluate((audio) => (audio as HTMLMediaElement).duration);
  expect(length).toBeCloseTo(minutes * 60, 0);
  // Browsers end a worker that rests; it has to know the file again, whose key it does not keep.
  const devtools = await bo.page.context().newCDPSession(bo.page);
  await devtools.send("ServiceWorker.enable");
  await devtools.send("ServiceWorker.stopAllWorkers");
  await player.evaluate((audio, to) => {
    (audio as HTMLMediaElement).currentTime = to;
  }, length - 5);
  await expect.poll(at).toBeGreaterThan(length - 4.5);
  expect(bo.proxy.down - before).toBeLessThan(minutes * 10 * MIB * 0.8);
});

test("a sealed file is saved straight to disk, opened on its way", async () => {
  const { ada, bo } = await meet();
  const path = await here.files.file("straight – “ünï”.bin", 20 * MIB + 1);
  await ada.offer(path);
  await bo.press("straight – “ünï”.bin", "download");
  const got = await bo.download();
  expect(got.name).toBe("straight – “ünï”.bin");
  expect(await sha256(got.path)).toBe(await sha256(path));
});

test("a download that breaks off on its way never ends well, and the page says so", async () => {
  const { ada, bo } = await meet();
  await ada.offer(await here.files.file("broken.bin", SIZE));
  await bo.transfer("broken.bin").waitFor();
  const cut = bo.proxy.cutAfter(SIZE / 2);
  await bo.press("broken.bin", "download");
  await cut;
  await expect(bo.download()).rejects.toThrow();
  await bo.page.getByTestId("problems").filter({ hasText: "broken.bin" }).waitFor();
});

test("a sealed microphone is heard live, and ends", async () => {
  const { ada, bo } = await meet();
  await ada.choose("attach", "go-live");
  const offered = bo.page.getByTestId("transfer");
  await offered.waitFor();
  const name = (await offered.getAttribute("data-name")) ?? "";
  expect(name).toMatch(/^Live /);
  await bo.press(name, "play");
  const player = bo.page.getByTestId("player");
  await player.waitFor();
  const heard = () => player.evaluate((audio) => (audio as HTMLMediaElement).currentTime);
  await expect.poll(heard).toBeGreaterThan(2);
  await ada.page.getByTestId("end-live").click();
  await ada.reads(name, "everyone who accepted has it");
  const ended = () => player.evaluate((audio) => (audio as HTMLMediaElement).ended);
  await expect.poll(ended).toBe(true);
});

test("who comes by the link when the sender is gone reads what was kept", async () => {
  const { ada, bo, link } = await meet();
  const path = await here.files.file("kept.bin", 3 * MIB + 1);
  await ada.stage(path);
  await ada.page.getByTestId("keep").check();
  await ada.send();
  const stored = bo
    .transfer("kept.bin")
    .getByTestId("copy-words")
    .filter({ hasText: /^stored until/ });
  await stored.waitFor();
  await ada.leaveRoom();
  await bo.leaveRoom();
  const cy = await (await here.person("Cy")).enterSealed(link);
  await cy.press("kept.bin", "accept");
  expect(await sha256((await cy.download()).path)).toBe(await sha256(path));
  await cy.transfer("kept.bin").getByTestId("verified").waitFor();
});

test("many sealed files are saved as one ZIP, with what is in them", async () => {
  const { ada, bo } = await meet();
  const paths = await Promise.all(
    [1, 2, 3, 4, 5, 6, 7].map((n) => here.files.file(`page ${n}.bin`, n * 100_000)),
  );
  await ada.offer(...paths);
  await bo.page.getByTestId("accept-all").click();
  const got = await bo.download();
  expect(got.name).toMatch(/\.zip$/);
  const folder = await mkdtemp(join(here.files.directory, "zip-"));
  await promisify(execFile)("unzip", ["-q", got.path, "-d", folder]);
  for (const [index, path] of paths.entries()) {
    expect(await sha256(join(folder, `page ${index + 1}.bin`))).toBe(await sha256(path));
  }
  await rm(folder, { recursive: true });
});
