/** The language that the page speaks: the person's choice, else the browser's. Other languages than English come when asked for. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { remember, remembered } from "../hands/memory";
import { en, type Words } from "./en";

export type { Words } from "./en";

export type Language = "en" | "zh";

/** What each language calls itself. */
export const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["zh", "简体中文"],
];
const TAGS: Record<Language, string> = { en: "en", zh: "zh-Hans" };
const KEY = "language";

const spoken = signal<Words>(en);
const chosen = signal<Language>("en");

export const words: ReadonlySignal<Words> = spoken;
export const language: ReadonlySignal<Language> = chosen;

/** Speaks the remembered language, else the first of the browser's that there is. */
export async function beginWords(): Promise<void> {
  const wanted = [remembered("browser", KEY) ?? "", ...navigator.languages];
  await speak(firstKnown(wanted)).catch(() => undefined); // English stays, where the other does not come
}

export async function chooseLanguage(wanted: Language): Promise<void> {
  await speak(wanted);
  remember("browser", KEY, wanted);
}

/** The first language of `tags` (such as `zh-CN`) that the page speaks. Pure. */
export function firstKnown(tags: readonly string[]): Language {
  for (const tag of tags) {
    const family = tag.toLowerCase().split("-")[0];
    if (family === "en" || family === "zh") return family;
  }
  return "en";
}

async function speak(wanted: Language): Promise<void> {
  spoken.value = wanted === "zh" ? (await import("./zh")).zh : en;
  chosen.value = wanted;
  document.documentElement.lang = TAGS[wanted];
}
