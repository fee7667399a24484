/** `npm run bench`: the first sight of the page, on this machine and on one that is four times as slow. */
import { test } from "vitest";
import { freshAndSlow, interactiveAfter, scriptOf } from "./load";
import { party } from "./party";

const here = party();

test.each([1, 4])("first load, processor %i times as slow", { timeout: 120_000 }, async (slowdown) => {
  const times: number[] = [];
  for (let run = 0; run < 5; run += 1) {
    const { page, proxy } = await here.person("Ada");
    await freshAndSlow(page, slowdown);
    times.push(await interactiveAfter(page, proxy.url));
    if (run === 4) process.stdout.write(`script of the front page: ${await scriptOf(page)} bytes\n`);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(
    `interactive after ${times[2]} ms, at worst ${times[4]} (slowed down ${slowdown} times)\n`,
  );
});
