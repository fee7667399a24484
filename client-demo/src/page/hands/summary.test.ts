/** What a title says while nobody looks, and what is news. */
import { expect, test } from "vitest";
import { NOTHING_GOES_ON, type NoticeWords, newsOf, shouldWarn, titleOf } from "./summary";

const words: NoticeWords = {
  percent: (percent) => `${percent} %`,
  offers: (count) => (count === 1 ? "1 offer" : `${count} offers`),
  news: (news) => news,
};
const here = { ...NOTHING_GOES_ON, room: "calm-otter-42" };

test("a hidden page's title says how far it is, or what waits for an answer", () => {
  expect(titleOf({ ...here, moving: 2, done: 37, size: 100, waiting: 1 }, true, words)).toBe(
    "(37 %) calm-otter-42 · roomdrop",
  );
  expect(titleOf({ ...here, waiting: 2 }, true, words)).toBe("(2 offers) calm-otter-42 · roomdrop");
  expect(titleOf(here, true, words)).toBe("calm-otter-42 · roomdrop");
});

test("a title that is seen says where one is, and nothing else", () => {
  expect(titleOf({ ...here, moving: 1, done: 1, size: 2 }, false, words)).toBe("calm-otter-42 · roomdrop");
  expect(titleOf(NOTHING_GOES_ON, false, words)).toBe("roomdrop");
});

test("what moves and is not there yet is never 100 %", () => {
  expect(titleOf({ ...here, moving: 1, done: 999_999, size: 1_000_000 }, true, words)).toMatch(/^\(99 %\)/);
});

test("news is what came, not what is", () => {
  expect(newsOf(here, { ...here, waiting: 1 })).toBe("offers");
  expect(newsOf({ ...here, waiting: 1 }, { ...here, waiting: 1 })).toBeUndefined();
  expect(newsOf({ ...here, waiting: 1 }, here)).toBeUndefined();
  expect(newsOf({ ...here, moving: 1 }, { ...here, finished: 1 })).toBe("finished");
  expect(newsOf({ ...here, moving: 2 }, { ...here, moving: 1, finished: 1 })).toBeUndefined();
  expect(newsOf(here, { ...here, said: 1 })).toBe("said");
});

test("another room's offers are no news", () => {
  expect(newsOf(here, { ...here, room: "other", waiting: 3 })).toBeUndefined();
});

test("closing is warned of only where something would be lost", () => {
  expect(shouldWarn(here)).toBe(false);
  expect(shouldWarn({ ...here, losing: 1 })).toBe(true);
});
