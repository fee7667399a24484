// Opening many at once against a fake link: few words, and each its own answer.
import { expect, test } from "vitest";
import { Openings } from "./Openings";
import type { SinkOpen } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { FakeLink } from "./testing/FakeLink";

const facts = (token: string) => ({ transfer: token, name: "a", size: 1, type: "", state: "active" });

/** A server that opens whatever it is asked to, except `bad`; what it was told, in order. */
function opening(answer: (open: SinkOpen) => void = () => undefined) {
  const told: [string, unknown][] = [];
  const link = new FakeLink((event, say: SinkOpen) => {
    told.push([event, say]);
    answer(say);
    if (say.token) return facts(say.token);
    return { transfers: say.tokens?.map((token) => (token === "bad" ? { error: "expired" } : facts(token))) };
  });
  link.up = true;
  return { openings: new Openings(link), link, told };
}

test("three thousand that come up at once are six words", async () => {
  const { openings, told } = opening();
  const tokens = Array.from({ length: 3000 }, (_, index) => `t${index}`);
  const opened = await Promise.all(tokens.map((token) => openings.source(token)));
  expect(opened.map(({ transfer }) => transfer)).toEqual(tokens);
  expect(told.map(([event]) => event)).toEqual(Array(6).fill("source:open"));
});

test("one alone opens and pulls with one word", async () => {
  const { openings, told } = opening();
  await openings.sink("t", { transfer: "t", lane: 7, from: 0, limit: 1 });
  expect(told).toEqual([["sink:open", { token: "t", lane: 7, from: 0, limit: 1 }]]);
});

test("several are opened and then pulled, without waiting for the answer", async () => {
  const { openings, told } = opening();
  const pulls = ["a", "b"].map((transfer) => ({ transfer, lane: 7, from: 0, limit: 1 }));
  await Promise.all(pulls.map((pull) => openings.sink(pull.transfer, pull)));
  expect(told).toEqual([
    ["sink:open", { tokens: ["a", "b"] }],
    ["pull", pulls[0]],
    ["pull", pulls[1]],
  ]);
});

test("one that is refused harms none of those it was opened with", async () => {
  const { openings } = opening();
  const [good, bad] = await Promise.allSettled([openings.source("good"), openings.source("bad")]);
  expect(good).toMatchObject({ status: "fulfilled" });
  expect(bad).toMatchObject({ status: "rejected", reason: { code: "expired" } });
});

test("a word that is refused as a whole is refused to each", async () => {
  const { openings } = opening(() => {
    throw new RoomdropError("overloaded", "later");
  });
  const all = await Promise.allSettled([openings.source("a"), openings.source("b")]);
  expect(all).toMatchObject(Array(2).fill({ status: "rejected", reason: { code: "overloaded" } }));
});
