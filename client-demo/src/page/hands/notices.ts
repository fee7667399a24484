/**
 * What the page tells someone who looks elsewhere: the tab's title, a notification, a word before it is closed,
 * and a screen that stays on while something large moves. It follows one summary, given by the store, and
 * nothing here asks for a permission unless a person has just pressed a button for it.
 */
import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { type NoticeWords, newsOf, type Summary, shouldWarn, titleOf } from "./summary";

export type { NoticeWords, Summary } from "./summary";

/**
 * - `ask`: the person may be asked, from a click (`askToNotify`).
 * - `on`: notifications are shown while the page is hidden.
 * - `refused`: the person or the browser said no; only the browser's settings change that.
 * - `unavailable`: this browser has none here.
 */
export type Notifying = "ask" | "on" | "refused" | "unavailable";

const state = signal<Notifying>("unavailable");
const hidden = signal(false);

export const notifying: ReadonlySignal<Notifying> = computed(() => state.value);

/** Follows `summary` from now on. To be called once, as the page begins. */
export function beginNotices(summary: ReadonlySignal<Summary>, words: ReadonlySignal<NoticeWords>): void {
  state.value = permission();
  hidden.value = document.hidden;
  document.addEventListener("visibilitychange", () => {
    hidden.value = document.hidden;
  });
  followTitle(summary, words);
  followNews(summary, words);
  followClosing(summary);
  followWake(summary);
}

/** Asks to show notifications; to be called from a click, when they would first be of use. */
export async function askToNotify(): Promise<Notifying> {
  if (state.value === "ask") {
    await Notification.requestPermission().catch(() => undefined);
    state.value = permission();
  }
  return state.value;
}

function permission(): Notifying {
  if (typeof Notification === "undefined" || !window.isSecureContext) return "unavailable";
  const states = { default: "ask", granted: "on", denied: "refused" } as const;
  return states[Notification.permission];
}

function followTitle(summary: ReadonlySignal<Summary>, words: ReadonlySignal<NoticeWords>): void {
  effect(() => {
    document.title = titleOf(summary.value, hidden.value, words.value);
  });
}

function followNews(summary: ReadonlySignal<Summary>, words: ReadonlySignal<NoticeWords>): void {
  let before = summary.value;
  let shown: Notification | undefined;
  effect(() => {
    const now = summary.value;
    const news = newsOf(before, now);
    before = now;
    if (!hidden.value) {
      shown?.close();
      shown = undefined;
      return;
    }
    if (news && state.value === "on") shown = notify(words.value.news(news, now), now.room) ?? shown;
  });
}

/** One notification for a room, replaced by the next. Some phones have them for service workers alone. */
function notify(text: string, room: string): Notification | undefined {
  const options = { body: text, tag: `roomdrop-${room}`, icon: "/icon.svg" };
  try {
    const notice = new Notification("roomdrop", options);
    notice.onclick = () => {
      window.focus();
      notice.close();
    };
    return notice;
  } catch {
    void navigator.serviceWorker
      ?.getRegistration()
      .then((worker) => worker?.showNotification("roomdrop", options))
      .catch(() => undefined);
    return undefined;
  }
}

/** The browser has words of its own for it, and asks only where there is something to lose. */
function followClosing(summary: ReadonlySignal<Summary>): void {
  const warn = (event: BeforeUnloadEvent) => event.preventDefault();
  const warns = computed(() => shouldWarn(summary.value));
  effect(() => {
    if (warns.value) window.addEventListener("beforeunload", warn);
    else window.removeEventListener("beforeunload", warn);
  });
}

/** The lock is lost whenever the page is hidden, so it is asked for again when it is seen. */
function followWake(summary: ReadonlySignal<Summary>): void {
  const wanted = computed(() => summary.value.large && !hidden.value);
  let lock: Promise<WakeLockSentinel | undefined> | undefined;
  effect(() => {
    if (wanted.value) {
      lock ??= navigator.wakeLock?.request("screen").catch(() => undefined);
    } else {
      void lock?.then((held) => held?.release()).catch(() => undefined);
      lock = undefined;
    }
  });
}
