/** What people do on the page before a test begins: rooms with a secret in their link, trays, offers. */
import type { Person } from "./Person";
import type { Party } from "./party";

/** Starts a fresh room from the front page, which is sealed; its link as others open it: path and secret. */
export async function startRoom(person: Person): Promise<string> {
  await person.page.goto(person.proxy.url);
  await callOneself(person);
  await person.page.getByTestId("make-room").click();
  await person.connected("joined");
  return person.page.evaluate(() => location.pathname + location.hash);
}

/** Opens a room by its link. */
export async function follow(person: Person, link: string): Promise<void> {
  await person.page.goto(person.proxy.url);
  await callOneself(person);
  // As a link from elsewhere: another address alone would not load the page again.
  await person.page.goto("about:blank");
  await person.page.goto(person.proxy.url + link);
  await person.connected("joined");
}

/** Two people in a fresh sealed room. */
export async function meetSealed(party: Party): Promise<{ ada: Person; bo: Person; link: string }> {
  const ada = await party.person("Ada");
  const bo = await party.person("Bo");
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

async function callOneself(person: Person): Promise<void> {
  await person.page.getByTestId("my-name").fill(person.name);
  await person.page.getByTestId("my-name").press("Enter");
}
