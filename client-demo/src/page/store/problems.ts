/** What went wrong, in words, until it is dismissed; and what is to be read out, once. It decides nothing. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { RoomdropError } from "../../sdk";
import { type Words, words } from "../words";

export interface Problem {
  id: number;
  words: string;
}

/** Problems that are shown at once; older ones make room. */
const SHOWN = 3;

const list = signal<readonly Problem[]>([]);
const said = signal<(t: Words) => string>(() => "");
let lastId = 0;

export const problems: ReadonlySignal<readonly Problem[]> = list;
/** What a screen reader says next. */
export const announcement = computed(() => said.value(words.value));

/** The sentence for an error, in the page's language where it has one of its own. */
export function sentence(error: RoomdropError): string {
  return words.peek().errors[error.code] ?? error.message;
}

export function complain(error: unknown): void {
  if (!(error instanceof RoomdropError)) reportError(error);
  tell(error instanceof RoomdropError ? sentence(error) : words.peek().problems.page);
}

/** Shows a sentence; the same one only once. */
export function tell(words: string): void {
  lastId += 1;
  const others = list.value.filter((problem) => problem.words !== words);
  list.value = [...others, { id: lastId, words }].slice(-SHOWN);
}

export function dismiss(id: number): void {
  list.value = list.value.filter((problem) => problem.id !== id);
}

export function announce(what: (t: Words) => string): void {
  said.value = what;
}

/** Says so when a part of the page cannot be loaded. */
export function attemptPart(loading: Promise<void>): void {
  loading.catch(() => tell(words.peek().problems.part));
}
