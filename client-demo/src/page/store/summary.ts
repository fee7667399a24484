/** All that goes on in numbers, for the notices: what the tab's title, notifications and the wake lock go by. */
import { computed } from "@preact/signals";
import { beginNotices, type Summary } from "../hands/notices";
import { words } from "../words";
import { me } from "./here";
import { route } from "./route";
import { dropViews, entries, looks, transferViews } from "./timeline";
import type { TransferView } from "./views";

/** Bytes from which a transfer keeps the screen on. */
const LARGE = 50 * 1000 * 1000;

export function beginSummary(): void {
  const notices = computed(() => words.value.notices);
  beginNotices(summary, notices);
}

export const summary = computed<Summary>(() => {
  looks.value;
  const here = route.value;
  const said = entries.value.filter((one) => one.kind === "message" && one.message.from !== me.value).length;
  const waiting = dropViews().filter(({ offered }) => offered.length > 0).length;
  return { room: here.page === "room" ? here.room : "", waiting, said, ...movingOf(transferViews()) };
});

/** What of `views` moves. Pure. */
export function movingOf(
  views: readonly TransferView[],
): Pick<Summary, "moving" | "done" | "size" | "large" | "losing" | "finished"> {
  const sum = { moving: 0, done: 0, size: 0, large: false, losing: 0, finished: 0 };
  for (const { moving, progress, tone, direction, copy, stage } of views) {
    if (tone === "good") sum.finished += 1;
    if (direction === "outgoing" && moving && copy?.state !== "stored" && stage !== "missing")
      sum.losing += 1;
    if (direction === "incoming" && moving && stage !== "browser") sum.losing += 1;
    if (!moving) continue;
    sum.moving += 1;
    sum.done += progress.done;
    sum.size += progress.size ?? progress.done;
    sum.large ||= (progress.size ?? 0) >= LARGE;
  }
  return sum;
}
