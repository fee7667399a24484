/** The measurements: real server, real Chromium, one after the other, as long as they take. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["e2e/**/*.bench.ts"],
    environment: "node",
    fileParallelism: false,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
