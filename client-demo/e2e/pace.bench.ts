/**
 * `npm run bench`: one file through the server from page to page, several times, and the medians; the same file by
 * the browser's own means, HTTP, in the same run. `BENCH_SIZE` is its bytes (default 2 GB), `BENCH_RUNS` how often
 * (default 3). It measures, and judges nothing.
 */
import { afterAll, beforeAll, test } from "vitest";
import { type Figures, pacing } from "./pace";

const BYTES = Number(process.env.BENCH_SIZE ?? 2e9);
const RUNS = Number(process.env.BENCH_RUNS ?? 3);

let pace: Awaited<ReturnType<typeof pacing>>;

beforeAll(async () => {
  pace = await pacing();
});
afterAll(() => pace.stop());

test.each([
  ["plain", false],
  ["encrypted", true],
])("%s", { timeout: 3_600_000 }, async (name, sealed) => {
  const runs: Figures[] = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await pace.measure({ bytes: BYTES, sealed }));
  const of = (take: (one: Figures) => number) => median(runs.map(take));
  const lines = [
    `${name}, ${BYTES / 1e6} MB, median of ${RUNS}: ${of((one) => one.megabytesPerSecond)} MB/s`,
    `  tasks over 50 ms: ${words(runs, "sender")} of the sender, ${words(runs, "receiver")} of the receiver`,
    `  heap at the end: ${of(({ heap }) => heap.sender)} and ${of(({ heap }) => heap.receiver)} MB`,
    `  the larger page: at most ${of(({ memory }) => memory.early)} MiB in the first half, ${of(({ memory }) => memory.late)} MiB in the second`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
});

test("the browser's own upload and download", { timeout: 3_600_000 }, async () => {
  const runs: number[] = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await pace.measureHttp(BYTES));
  process.stdout.write(`fetch to PUT to fetch, ${BYTES / 1e6} MB, median of ${RUNS}: ${median(runs)} MB/s\n`);
});

function words(runs: readonly Figures[], side: "sender" | "receiver"): string {
  const all = runs.flatMap(({ longTasks }) => longTasks[side]);
  return all.length === 0 ? "none" : `${all.length} (longest ${Math.max(...all)} ms)`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
