/**
 * What the first sight of the page costs: bytes of script on the wire, held to their promise by `load.test.ts`, and the
 * time until it can be used on a slow machine, a figure of `npm run bench`.
 */
import type { Page } from "playwright-core";

/** Compressed bytes of all scripts that the page has loaded so far. */
export function scriptOf(page: Page): Promise<number> {
  return page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter((one) => one instanceof PerformanceResourceTiming)
      .filter(({ name }) => new URL(name).pathname.endsWith(".js"))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  );
}

/** Has `page` forget what the browser keeps of it, and run on a processor `slowdown` times as slow. */
export async function freshAndSlow(page: Page, slowdown: number): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.setCacheDisabled", { cacheDisabled: true });
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
}

/**
 * Milliseconds from the navigation until the front page is drawn and answers: the end of its last task of more than
 * 50 ms, or its first picture where there was none. It looks for two more seconds.
 */
export async function interactiveAfter(page: Page, url: string): Promise<number> {
  await page.goto(url);
  await page.getByTestId("make-room").waitFor();
  return page.evaluate(async () => {
    const drawn = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now();
    const ends: number[] = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) ends.push(startTime + duration);
    }).observe({ type: "longtask", buffered: true });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return Math.round(Math.max(drawn, ...ends));
  });
}
