/** Makes the README's pictures (`npm run screenshots`): the real server and Chromium, as in the browser tests. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["e2e/shots/shots.ts"],
    environment: "node",
    testTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
    hookTimeout: 60_000,
  },
});
