// What sending costs the page: facts that hold on a busy machine too, and no figures of speed (`npm run bench`).
import { afterAll, beforeAll, expect, test } from "vitest";
import { pacing } from "./pace";

/** Bytes of the file; 1 GB, as promised, with PACE_SIZE=1000000000. */
const BYTES = Number(process.env.PACE_SIZE ?? 250e6);

let pace: Awaited<ReturnType<typeof pacing>>;

beforeAll(async () => {
  pace = await pacing();
});
afterAll(() => pace.stop());

test.each([false, true])(
  "sending holds neither page up, and neither grows with the file (sealed: %s)",
  async (sealed) => {
    const figures = await pace.measure({ bytes: BYTES, sealed });
    expect(figures.verified).toBe(true);
    expect(figures.longTasks.sender).toEqual([]);
    expect(figures.memory.late - figures.memory.early).toBeLessThan(64);
  },
);
