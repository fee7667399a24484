/** How the page is built: everything in files of its own under `/assets/`, so a strict CSP holds. */
import { defineConfig } from "vitest/config";
import { icons } from "./icons.ts";

// Only for `npm run dev`: where a roomdrop to talk to listens.
const server = process.env.ROOMDROP_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  appType: "spa",
  plugins: [icons()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // data: URIs would need a looser CSP
  },
  worker: { format: "es" },
  server: {
    proxy: {
      "/socket.io": { target: server, ws: true },
      "/transfers": server,
      "/drops": server,
    },
  },
  test: {
    include: ["src/**/*.test.ts"],
    environment: "node",
    testTimeout: 30_000, // what hangs, not what is slow
  },
});
