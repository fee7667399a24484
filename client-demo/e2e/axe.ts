/**
 * Faults that shut people out, as axe-core finds them, in whatever state a page is: in both themes, on a desktop and on
 * a phone. It refuses what is serious or critical, and anything that is wider than the window.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const SOURCE = readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const DESKTOP = { width: 1100, height: 800 };
const PHONE = { width: 360, height: 740 };

/** Looks at `page`, in the state that it is in and that is called `state`, in every theme and width. */
export async function nobodyShutOut(page: Page, state: string): Promise<void> {
  await page.emulateMedia({ reducedMotion: "reduce" });
  for (const [device, viewport] of [
    ["phone", PHONE],
    ["desktop", DESKTOP],
  ] as const) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const where = `${state}, ${device}, ${colorScheme}`;
      expect(await faults(page), where).toEqual([]);
      expect(await tooWide(page), `${where}: wider than the window`).toEqual([]);
    }
  }
}

/** One line for each serious fault. */
async function faults(page: Page): Promise<string[]> {
  // Through the debugger, which no content security policy stops.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(await SOURCE);
  await still(page);
  const results = (await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    return axe.run(document, { resultTypes: ["violations"] });
  })) as AxeResults;
  return results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`),
    );
}

/** Resolves when nothing is on its way to another colour or place: a change of theme passes from parent to child. */
async function still(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const moving = () =>
      document
        .getAnimations()
        .filter(
          ({ playState, effect }) =>
            playState === "running" && effect?.getComputedTiming().endTime !== Infinity,
        );
    do {
      await Promise.all(moving().map((one) => one.finished.catch(() => undefined)));
      await new Promise(requestAnimationFrame);
    } while (moving().length > 0);
  });
}

/** What sticks out to the right, where the page can be scrolled there. */
async function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    return [...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
      .map((one) => `${one.tagName.toLowerCase()}.${one.className}`);
  });
}
