/**
 * How the service worker is built: one classic script at the root, since a worker rules only what lies below its own
 * address, and not every browser takes modules there. Runs after the page, into the same folder.
 */
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    target: "es2022",
    emptyOutDir: false,
    // Of the SDK it needs what opens files, and neither sockets nor pages.
    rollupOptions: { treeshake: { moduleSideEffects: false } },
    lib: {
      entry: "src/page/sw/sw.ts",
      formats: ["iife"],
      name: "worker",
      fileName: () => "sw.js",
    },
  },
});
