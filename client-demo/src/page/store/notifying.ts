/**
 * When a person is asked whether to be told while they look elsewhere: once something takes its time, and never again
 * after a no. What they answer to the browser has its sentence where it was a no.
 */
import { computed, signal } from "@preact/signals";
import { remember, remembered } from "../hands/memory";
import { askToNotify, type Notifying, notifying, type Summary } from "../hands/notices";
import { words } from "../words";
import { tell } from "./problems";
import { summary } from "./summary";

const DECLINED = "notices-declined";
const declined = signal(remembered("browser", DECLINED) !== undefined);

/** Whether it is suggested now. */
export const suggested = computed(() => worthSuggesting(summary.value, notifying.value, declined.value));

/** The pure part: while it moves, one may want to look elsewhere. */
export function worthSuggesting({ large }: Summary, notifying: Notifying, declined: boolean): boolean {
  return large && notifying === "ask" && !declined;
}

/** Has the browser ask. To be called from a click. */
export async function beNotified(): Promise<void> {
  if ((await askToNotify()) === "refused") tell(words.value.settings.notifyRefused);
}

/** No, thank you: the menu still has it. */
export function declineNotices(): void {
  declined.value = true;
  remember("browser", DECLINED, "yes");
}
