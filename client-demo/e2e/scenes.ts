/** What people do on the page before a test begins: rooms with a secret in their link, trays, offers. */
import type { Person } from "./Person";
import type { Party } from "./party";

/** Starts a fresh room from the front page, which is sealed; its link as others open it: path and secret. */
export async function startRoom(person: Person): Promise<string> {
  await callOneself(person);
  await person.page.goto(person.proxy.url);
  await person.page.getByTestId("make-room").click();
  await person.connected("joined");
  return linkOf(person);
}

/** Opens a room by its link. */
export async function follow(person: Person, link: string): Promise<void> {
  await callOneself(person);
  await person.page.goto(person.proxy.url + link);
  await person.connected("joined");
}

/** The path and the secret of the room that `person` is in. */
export function linkOf(person: Person): Promise<string> {
  return person.page.evaluate(() => location.pathname + location.hash);
}

/** Two people in a fresh sealed room; `prepare` is done to the second before the page is opened. */
export async function meetSealed(
  party: Party,
  prepare: (bo: Person) => Promise<unknown> = async () => undefined,
): Promise<{ ada: Person; bo: Person; link: string }> {
  const ada = await party.person("Ada");
  const bo = await party.person("Bo");
  await prepare(bo);
  const link = await startRoom(ada);
  await follow(bo, link);
  return { ada, bo, link };
}

/** Puts files into the tray. */
export async function stage(person: Person, ...paths: string[]): Promise<void> {
  await person.page.getByTestId("choose-files").setInputFiles(paths);
  await person.page.getByTestId("tray").waitFor();
}

export async function send(person: Person): Promise<void> {
  await person.page.getByTestId("send").click();
}

/** As if the name had been given on an earlier visit. */
async function callOneself(person: Person): Promise<void> {
  await person.page.addInitScript((name) => {
    if (location.protocol !== "http:" || localStorage.getItem("roomdrop|name")) return;
    localStorage.setItem("roomdrop|name", name);
  }, person.name);
}
