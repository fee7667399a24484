/** The browser tests: real server, real Chromium, one after the other. */
import { defineConfig } from "vitest/config";

/** Milliseconds a test may take; what it waits for has to come a little sooner. */
const PATIENCE = Number(process.env.E2E_TIMEOUT ?? 120) * 1000;

export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: PATIENCE,
    expect: { poll: { timeout: PATIENCE - 20_000 } },
    hookTimeout: 60_000,
  },
});
