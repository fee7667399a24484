/**
 * What one is about to say and to offer: the text, the files in the tray, for whom, and whether a copy is kept. Nothing
 * goes before `send`.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { type Offerable, RoomdropError } from "../../sdk";
import { dated, type Gathered, textAsFile } from "../hands/gather";
import { takeShared } from "../hands/shared";
import { addToTray, clearTray, tray } from "../hands/tray";
import { words } from "../words";
import { attempt, others } from "./here";
import { microphone } from "./live";
import { tell } from "./problems";
import { retell, touch } from "./timeline";

/** Characters of a message; longer text is offered as a file. */
export const MOST_TEXT = 2000;

export const text = signal("");
export const keep = signal(false);
const chosen = signal<readonly string[]>([]);
const going = signal<"idle" | "sending">("idle");

/** Members it is for, of those who are here; none is everyone. */
export const to: ReadonlySignal<readonly string[]> = computed(() => {
  const here = new Set(others.value.map(({ id }) => id));
  return chosen.value.filter((id) => here.has(id));
});
/** Whether something is on its way to the server, and cannot be sent twice. */
export const sending: ReadonlySignal<"idle" | "sending"> = going;

export function toEveryone(): void {
  chosen.value = [];
}

/** Adds `member` to those it is for, or takes it off. */
export function toggleTo(member: string): void {
  const list = to.value;
  chosen.value = list.includes(member) ? list.filter((one) => one !== member) : [...list, member];
}

/** Puts into the tray what was gathered, and says what could not be. */
export async function stage(gathering: Promise<Gathered> | Gathered): Promise<void> {
  const { files, unreadable, more, text: given } = await dated(await gathering);
  const { over } = addToTray(files);
  const { composer } = words.value;
  if (unreadable.length > 0) tell(composer.unreadable(unreadable));
  if (more || over > 0) tell(composer.tooMany);
  if (files.length === 0 && unreadable.length === 0 && given) pasteText(given);
}

/** Says the text, or offers the files with it as their note. */
export async function send(): Promise<void> {
  if (going.value === "sending") return;
  going.value = "sending";
  const said = text.value.trim();
  const staged = tray.value;
  const done =
    staged.length > 0 ? await offer(staged.map(offerable), said) : said !== "" && (await say(said));
  going.value = "idle";
  if (!done) return;
  if (text.value.trim() === said) text.value = "";
  if (tray.value === staged) clearTray();
  keep.value = false;
}

/** Offers the microphone's sound, live. */
export async function goLive(): Promise<void> {
  await attempt(async () => {
    const live = await microphone().catch((error: unknown) => {
      throw new RoomdropError("closed", words.value.composer.noMicrophone, { cause: error });
    });
    await offer([live], "");
  });
}

/** Has the server download links, each a drop of one's own. */
export async function fetchLinks(urls: readonly string[], keep: boolean): Promise<boolean> {
  return attempt(async (here) => {
    for (const url of urls) here.fetches.start(url, keep ? { keep } : {});
  });
}

/** Ends a download by the server, or takes an ended one off the list. */
export async function endFetch(resource: string): Promise<void> {
  await attempt(async (here) => {
    const fetch = here.fetches.list.find((one) => one.resource === resource);
    if (fetch?.final) here.fetches.forget(fetch);
    else if (fetch) await here.fetches.stop(fetch);
  });
}

/** Files chosen again after a reload. */
export async function supply(files: readonly File[]): Promise<void> {
  await attempt(async (here) => {
    for (const one of await here.supply(files)) touch(one);
  });
}

async function say(said: string): Promise<boolean> {
  return attempt((here) => here.say(said));
}

async function offer(files: readonly Offerable[], note: string): Promise<boolean> {
  const options = {
    keep: keep.value,
    ...(note ? { note } : {}),
    ...(to.value.length > 0 ? { to: to.value } : {}),
  };
  return attempt(async (here) => {
    await here.offer(files, options);
    retell();
  });
}

function offerable({ file, path, preview, handle }: (typeof tray.value)[number]): Offerable {
  return { file, path, ...(preview ? { preview } : {}), ...(handle ? { handle } : {}) };
}

/** Text that was dropped or pasted goes into the field, or is a file where it is too long for a message. */
function pasteText(given: string): void {
  const joined = text.value ? `${text.value} ${given}` : given;
  if (joined.length <= MOST_TEXT) text.value = joined;
  else addToTray(textAsFile(given, words.value.composer.pastedText).files);
}

/** Takes what another program has shared with the page, if it was opened for that. To be called once. */
export function beginOffering(): void {
  void takeShared().then((shared) => {
    if (shared === "lost") tell(words.value.composer.sharedLost);
    else if (shared) void stage(shared);
  });
}
