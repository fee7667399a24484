/** The browser tests: real server, real Chromium, one after the other. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: Number(process.env.E2E_TIMEOUT ?? 120) * 1000,
    hookTimeout: 60_000,
  },
});
