/** Notifications are suggested when they are first of use, and not to those who have answered. */
import { expect, test } from "vitest";
import { NOTHING_GOES_ON } from "../hands/summary";
import { worthSuggesting } from "./notifying";

const large = { ...NOTHING_GOES_ON, moving: 1, large: true };

test("they are suggested once something takes its time", () => {
  expect(worthSuggesting(NOTHING_GOES_ON, "ask", false)).toBe(false);
  expect(worthSuggesting({ ...large, large: false }, "ask", false)).toBe(false);
  expect(worthSuggesting(large, "ask", false)).toBe(true);
});

test("they are not suggested again to whoever said no, or yes, or has none", () => {
  expect(worthSuggesting(large, "ask", true)).toBe(false);
  for (const notifying of ["on", "refused", "unavailable"] as const) {
    expect(worthSuggesting(large, notifying, false)).toBe(false);
  }
});
