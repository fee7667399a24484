/** What is remembered of rooms, friends and theme: within bounds, whatever is found there, and with no storage too. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { befriend, friends, isFriend, MOST_FRIENDS, readFriend, unfriend, withFriend } from "./friends";
import { listIn, remember, remembered } from "./memory";
import { forgetRoom, MOST_ROOMS, readRoom, recentRooms, visited, withRoom } from "./recent";
import { themeOf } from "./theme";

afterEach(() => vi.unstubAllGlobals());

describe("recent rooms", () => {
  test("the newest is first, and the oldest make room", () => {
    let list = withRoom([], { room: "r0", at: 0 });
    for (let at = 1; at <= 20; at++) list = withRoom(list, { room: `r${at}`, at });
    expect(list).toHaveLength(MOST_ROOMS);
    expect(list[0]).toEqual({ room: "r20", at: 20 });
    expect(withRoom(list, { room: "r15", at: 21 }).map(({ room }) => room)[0]).toBe("r15");
    expect(withRoom(list, { room: "r15", at: 21 })).toHaveLength(MOST_ROOMS);
  });

  test("a visit without the secret does not lose it, and a new one takes its place", () => {
    const list = withRoom([], { room: "a", secret: "s1", at: 1 });
    expect(withRoom(list, { room: "a", at: 2 })).toEqual([{ room: "a", secret: "s1", at: 2 }]);
    expect(withRoom(list, { room: "a", secret: "s2", at: 2 })[0]?.secret).toBe("s2");
  });

  test("what is found may be anything", () => {
    expect(listIn("{", 12, readRoom)).toEqual([]);
    expect(listIn("null", 12, readRoom)).toEqual([]);
    const odd = [
      null,
      1,
      "a",
      {},
      { room: "../x", at: 1 },
      { room: "a", at: "1" },
      { room: "b", at: 1, secret: 7 },
    ];
    expect(listIn(JSON.stringify(odd), 12, readRoom)).toEqual([{ room: "b", at: 1 }]);
    expect(listIn(JSON.stringify(Array(50).fill({ room: "b", at: 1 })), 12, readRoom)).toHaveLength(12);
  });

  test("where nothing can be remembered, the page still knows what it did", () => {
    const forbidden = () => {
      throw new DOMException("no", "SecurityError");
    };
    vi.stubGlobal("localStorage", { getItem: forbidden, setItem: forbidden });
    visited("a", "secret", 1);
    visited("b", undefined, 2);
    expect(recentRooms.value.map(({ room }) => room)).toEqual(["b", "a"]);
    forgetRoom("a");
    forgetRoom("b");
    expect(recentRooms.value).toEqual([]);
  });

  test("a full storage breaks nothing", () => {
    const full = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    vi.stubGlobal("localStorage", { getItem: () => null, setItem: full });
    expect(() => remember("browser", "a", "b")).not.toThrow();
    expect(remembered("browser", "a")).toBeUndefined();
  });
});

describe("friends", () => {
  test("a friend is a member of one room, not a name", () => {
    befriend("room", "m1");
    expect(isFriend("room", "m1")).toBe(true);
    expect(isFriend("room", "m2")).toBe(false);
    expect(isFriend("other", "m1")).toBe(false);
    unfriend("room", "m1");
    expect(friends.value).toEqual([]);
  });

  test("there are no more of them than can be looked through quickly", () => {
    let list = withFriend([], { room: "r", member: "m" });
    for (let one = 0; one < 500; one++) list = withFriend(list, { room: "r", member: `m${one}` });
    expect(list).toHaveLength(MOST_FRIENDS);
    expect(withFriend(list, { room: "r", member: "m499" })).toHaveLength(MOST_FRIENDS);
  });

  test("what is found may be anything", () => {
    expect(readFriend({ room: "r", member: "m" })).toEqual({ room: "r", member: "m" });
    for (const odd of [{}, { room: "r" }, { room: "r", member: "a b" }, { room: 1, member: 2 }]) {
      expect(readFriend(odd)).toBeUndefined();
    }
  });
});

test("a theme that is none is the system's", () => {
  expect(["light", "dark", "system", "blue", undefined].map(themeOf)).toEqual([
    "light",
    "dark",
    "system",
    "system",
    "system",
  ]);
});
