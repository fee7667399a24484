/**
 * What there is to tell someone who looks elsewhere, and when it is news. Pure. Neither titles nor news name
 * files or what was said: they stand on lock screens and in the lists of other people's windows.
 */
import { percent } from "../format";

/** All that goes on, in numbers. */
export interface Summary {
  /** The room's id; empty on the front page. */
  room: string;
  /** Offers that wait for this person's answer. */
  waiting: number;
  /** Transfers that move, or wait to: one's own part in them. */
  moving: number;
  /** Bytes done of those that move, and of all of them. */
  done: number;
  size: number;
  /** Whether a large one moves: the screen stays on for it. */
  large: boolean;
  /** Transfers that would be lost, or stand still for others, if the page were closed. */
  losing: number;
  /** Transfers that came to their end since the page began: a count that only rises. */
  finished: number;
  /** Messages of others since the page began: a count that only rises. */
  said: number;
}

export type News = "offers" | "finished" | "said";

/** The words of titles and notifications, in the person's language. */
export interface NoticeWords {
  /** `37 %` */
  percent(percent: number): string;
  /** `2 offers` */
  offers(count: number): string;
  /** A sentence for a notification; it must not name files. */
  news(news: News, summary: Summary): string;
}

export const NOTHING_GOES_ON: Summary = {
  room: "",
  waiting: 0,
  moving: 0,
  done: 0,
  size: 0,
  large: false,
  losing: 0,
  finished: 0,
  said: 0,
};

/** `(37 %) calm-otter-42 · roomdrop` while hidden; only the room while it is seen. */
export function titleOf(summary: Summary, hidden: boolean, words: NoticeWords): string {
  const title = summary.room ? `${summary.room} · roomdrop` : "roomdrop";
  if (!hidden) return title;
  if (summary.moving > 0) return `(${words.percent(percent(summary.done, summary.size))}) ${title}`;
  return summary.waiting > 0 ? `(${words.offers(summary.waiting)}) ${title}` : title;
}

/** What is worth a notification; of several, what wants an answer. A change of room is none. */
export function newsOf(before: Summary, now: Summary): News | undefined {
  if (before.room !== now.room) return undefined;
  if (now.waiting > before.waiting) return "offers";
  if (now.finished > before.finished && now.moving === 0) return "finished";
  return now.said > before.said ? "said" : undefined;
}

export function shouldWarn({ losing }: Summary): boolean {
  return losing > 0;
}
