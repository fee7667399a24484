/**
 * The icons that some systems want as PNG (iOS for its home screen, older launchers), drawn from the SVG while
 * the page is built, so that no picture but the drawing itself is in the project.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import type { Plugin } from "vite";

/** Each from its drawing, so many pixels wide. iOS rounds the corners itself, so it gets the full square. */
const ICONS = [
  { file: "icon-192.png", from: "public/icon.svg", width: 192 },
  { file: "apple-touch-icon.png", from: "public/icon-maskable.svg", width: 180 },
];

export function icons(): Plugin {
  return {
    name: "icons",
    apply: "build",
    async generateBundle() {
      await started();
      for (const { file, from, width } of ICONS) {
        const drawing = await readFile(new URL(from, import.meta.url), "utf8");
        const source = new Resvg(drawing, { fitTo: { mode: "width", value: width } }).render().asPng();
        this.emitFile({ type: "asset", fileName: file, source });
      }
    },
  };
}

let starting: Promise<void> | undefined;

/** It may be started once in a process, and a build may run more than once. */
function started(): Promise<void> {
  const wasm = createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm");
  starting ??= readFile(wasm).then((code) => initWasm(code));
  return starting;
}
