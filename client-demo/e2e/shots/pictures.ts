/** Pictures to send on screenshots: landscapes that a browser draws, so that nobody's photographs are needed. */
import { writeFile } from "node:fs/promises";
import type { Page } from "playwright-core";

export interface Landscape {
  /** Colours of the sky from above to the horizon, and of the hills from far to near. */
  sky: readonly string[];
  hills: readonly string[];
  sun: { x: number; y: number; size: number; colour: string };
  /** What makes its hills its own. */
  seed: number;
}

export const DAWN: Landscape = {
  sky: ["#2b3a67", "#b56576", "#ffb56b"],
  hills: ["#7b5a78", "#58406a", "#33294d", "#1c1b33"],
  sun: { x: 0.64, y: 0.52, size: 0.07, colour: "#ffe9b8" },
  seed: 3,
};
export const LAKE: Landscape = {
  sky: ["#4aa3df", "#9ad1f0", "#eaf6fb"],
  hills: ["#9db8c9", "#6c9a8b", "#3f7a5a", "#255c42"],
  sun: { x: 0.25, y: 0.24, size: 0.05, colour: "#fffbe6" },
  seed: 8,
};
export const NIGHT: Landscape = {
  sky: ["#050816", "#101c45", "#2c3f7d"],
  hills: ["#27335f", "#1a2347", "#111831", "#0a0f20"],
  sun: { x: 0.76, y: 0.24, size: 0.045, colour: "#f2f0dc" },
  seed: 5,
};

/** Draws `landscape` in `page`, so many pixels wide, and writes it to `path` as a JPEG. */
export async function draw(page: Page, landscape: Landscape, path: string, width = 2400): Promise<string> {
  const picture = await page.evaluate(
    async ({ sky, hills, sun, seed, width }) => {
      const height = Math.round((width * 2) / 3);
      const canvas = new OffscreenCanvas(width, height);
      const pen = canvas.getContext("2d");
      if (!pen) throw new Error("no canvas");
      const fade = pen.createLinearGradient(0, 0, 0, height * 0.75);
      for (const [index, colour] of sky.entries()) fade.addColorStop(index / (sky.length - 1), colour);
      pen.fillStyle = fade;
      pen.fillRect(0, 0, width, height);
      pen.fillStyle = sun.colour;
      pen.beginPath();
      pen.arc(sun.x * width, sun.y * height, sun.size * width, 0, 2 * Math.PI);
      pen.fill();
      for (const [index, colour] of hills.entries()) {
        const base = height * (0.56 + index * 0.12);
        const wave = (x: number, length: number, turn: number) =>
          Math.sin((x / width) * length + seed * turn);
        pen.fillStyle = colour;
        pen.beginPath();
        pen.moveTo(0, height);
        for (let x = 0; x <= width; x += width / 300) {
          const rise =
            wave(x, 5 + index, index + 1) * height * 0.056 +
            wave(x, 13 + seed, index * 2 + 1) * height * 0.021 +
            wave(x, 41, seed) * height * 0.006;
          pen.lineTo(x, base - rise);
        }
        pen.lineTo(width, height);
        pen.fill();
      }
      // Grain, as cameras have it; without it a picture would be suspiciously small.
      const pixels = pen.getImageData(0, 0, width, height);
      for (let at = 0; at < pixels.data.length; at += 4) {
        const grain = (Math.random() - 0.5) * 18;
        for (let colour = 0; colour < 3; colour++)
          pixels.data[at + colour] = (pixels.data[at + colour] ?? 0) + grain;
      }
      pen.putImageData(pixels, 0, 0);
      const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
      const reader = new FileReader();
      reader.readAsDataURL(blob);
      await new Promise((read) => reader.addEventListener("load", read));
      return String(reader.result).replace(/^.*,/, "");
    },
    { ...landscape, width },
  );
  await writeFile(path, Buffer.from(picture, "base64"));
  return path;
}
