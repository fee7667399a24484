// What the page makes of sizes, times, codes and links, and of files before they are sent.
import { expect, test } from "vitest";
import { ago, bytes, percent, period, when } from "./format";
import { randomRoomId, roomIdIn } from "./roomId";
import { addressIn, addressOf, pathOf, secretPasted } from "./store/address";
import { grouped } from "./store/heaps";
import { kindOf } from "./store/kinds";
import { entriesOf } from "./store/timeline";
import { en } from "./words/en";
import { firstKnown } from "./words/index";
import { zh } from "./words/zh";

const SECRET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM_-12";
const NOW = new Date(2026, 4, 3, 12, 0).getTime();

test("a percentage is never 100 before all is there", () => {
  expect(percent(999_999, 1_000_000)).toBe(99);
  expect(percent(1_000_000, 1_000_000)).toBe(100);
  expect(percent(0, 0)).toBe(100);
  expect(percent(5, null)).toBe(0);
});

test("sizes and times are read as people say them, in their language", () => {
  const sizes = [0, 1, 999, 1000, 999_950, 4_500_000_000];
  expect(sizes.map((size) => bytes(size, "en"))).toEqual([
    "0 bytes",
    "1 byte",
    "999 bytes",
    "1.0 kB",
    "1.0 MB",
    "4.5 GB",
  ]);
  expect([5, 65, 3700].map(en.file.left)).toEqual(["5 s left", "1 min 5 s left", "1 h 1 min left"]);
  expect([5, 65, 3700].map(zh.file.left)).toEqual(["剩余 5 秒", "剩余 1 分 5 秒", "剩余 1 小时 1 分"]);
  expect(ago(NOW - 7_200_000, NOW, "en")).toBe("2 hours ago");
  expect(when(NOW + 60_000, NOW, "en-GB")).toBe("12:01");
  expect(when(NOW + 86_400_000, NOW, "en-GB")).toMatch(/4 May.*12:00/);
});

test("a period is said in the largest unit that says it whole", () => {
  const HOUR = 3_600_000;
  expect([24, 48, 36, 1, 1.5].map((hours) => period(hours * HOUR, "en"))).toEqual([
    "1 day",
    "2 days",
    "36 hours",
    "1 hour",
    "90 minutes",
  ]);
  expect([period(24 * HOUR, "zh-CN"), period(45_000, "en"), period(1, "en")]).toEqual([
    "1天",
    "45 seconds",
    "1 second",
  ]);
});

test("what became of a copy is said in words", () => {
  expect(en.file.copyUntil(NOW + 60_000, NOW)).toMatch(/^stored until .*12.*01/);
  expect(en.file.copyUntil(NOW + 86_400_000, NOW)).toMatch(/^stored until .*4.*12.*00/);
});

test("a room is found in a code and in an address, and nothing else is taken for one", () => {
  expect(roomIdIn(" calm-otter-42 ")).toBe("calm-otter-42");
  expect(roomIdIn("calm otter 42")).toBe("calm-otter-42");
  expect(roomIdIn("http://example.org/rooms/a_B-1?x=1")).toBe("a_B-1");
  for (const wrong of ["", "a/b", "ä", "x".repeat(65), "<b>"]) expect(roomIdIn(wrong)).toBeUndefined();
  expect(roomIdIn(randomRoomId())).toMatch(/^[a-z]+-[a-z]+-\d+$/);
});

test("a link carries its secret behind the #, and a code has none", () => {
  const sealed = { room: "calm-otter-42", secret: SECRET };
  expect(addressIn(`https://example.org${pathOf(sealed)}`)).toEqual(sealed);
  expect(addressIn("calm-otter-42")).toEqual({ room: "calm-otter-42" });
  expect(addressIn("what is this?")).toBeUndefined();
  expect(addressOf({ pathname: "/rooms/a", hash: `#${SECRET}` })).toEqual({ room: "a", secret: SECRET });
  expect(addressOf({ pathname: "/rooms/a", hash: "" })).toEqual({ room: "a" });
  expect(addressOf({ pathname: "/", hash: `#${SECRET}` })).toBeUndefined();
});

test("half a secret is not taken for none, and what is pasted has to hold a whole one", () => {
  expect(addressIn("https://example.org/rooms/calm-otter-42#cut")).toEqual({
    room: "calm-otter-42",
    secret: "cut",
  });
  expect(addressOf({ pathname: "/rooms/a", hash: "#cut" })).toEqual({ room: "a", secret: "cut" });
  expect(secretPasted(`https://example.org/rooms/a#${SECRET}`)).toBe(SECRET);
  expect(secretPasted(` ${SECRET} `)).toBe(SECRET);
  for (const wrong of ["", "https://example.org/rooms/a", "https://example.org/rooms/a#cut"]) {
    expect(secretPasted(wrong)).toBeUndefined();
  }
});

test("files of one folder are one heap with its name, and others stand alone", () => {
  const file = (id: number, name: string, path = "") => ({ id, file: { name }, path });
  const heaps = grouped([file(1, "a"), file(2, "b", "Trip/day 1"), file(3, "c"), file(4, "d", "Trip/day 2")]);
  expect(heaps.map(({ kind, name, files }) => [kind, name, files.length])).toEqual([
    ["file", "a", 1],
    ["folder", "Trip", 2],
    ["file", "c", 1],
  ]);
});

test("a file's kind goes by its type, and by its name where the type says nothing", () => {
  expect(kindOf("a.bin", "image/png")).toEqual({ name: "image", watchable: true });
  expect(kindOf("a.svg", "image/svg+xml")).toEqual({ name: "image", watchable: false });
  expect(kindOf("a.mp4", "")).toEqual({ name: "video", watchable: false });
  expect(kindOf("a.tar.gz", "application/gzip").name).toBe("archive");
  expect(kindOf("a", "application/octet-stream").name).toBe("other");
});

test("messages and drops stand in the order of their times", () => {
  const message = { id: "m", room: "r", at: 2, from: "a", fromName: "A", text: "", seal: "none" as const };
  const all = entriesOf(
    [message],
    [
      { id: "late", at: 3 },
      { id: "early", at: 1 },
    ],
  );
  expect(all.map(({ id }) => id)).toEqual(["early", "m", "late"]);
});

test("the page speaks the first language of the browser's that it knows, else English", () => {
  expect(firstKnown(["fr", "zh-CN", "en"])).toBe("zh");
  expect(firstKnown(["en-GB", "zh"])).toBe("en");
  expect(firstKnown(["fr", ""])).toBe("en");
});

test("every language says everything", () => {
  const said = (words: object): string[] =>
    Object.entries(words).flatMap(([key, value]) =>
      key === "errors"
        ? []
        : typeof value === "object" && value !== null
          ? said(value).map((rest) => `${key}.${rest}`)
          : [key],
    );
  expect(said(zh)).toEqual(said(en));
});
