/**
 * Makes small pictures, off the page's main thread: a picture is decoded, drawn small, and written as WebP (JPEG
 * where the browser writes none), each time worse until it is small enough. What it can't decode has none.
 */

/** Pixels of the longer side, and bytes, at most. */
const SIDES = [96, 64, 48];
const MOST_BYTES = 4096;
const QUALITIES = [0.8, 0.6, 0.4, 0.2];

self.onmessage = async ({ data: { id, file } }: MessageEvent<{ id: number; file: Blob }>) => {
  const preview = await smallPicture(file).catch(() => undefined);
  self.postMessage({ id, preview });
};

async function smallPicture(file: Blob): Promise<Blob | undefined> {
  const whole = await createImageBitmap(file);
  try {
    for (const side of SIDES) {
      const canvas = await drawn(whole, side);
      for (const quality of QUALITIES) {
        const blob = await written(canvas, quality);
        if (blob.size <= MOST_BYTES) return blob;
      }
    }
    return undefined;
  } finally {
    whole.close();
  }
}

async function drawn(whole: ImageBitmap, side: number): Promise<OffscreenCanvas> {
  const scale = Math.min(1, side / Math.max(whole.width, whole.height));
  const width = Math.max(1, Math.round(whole.width * scale));
  const height = Math.max(1, Math.round(whole.height * scale));
  const small = await createImageBitmap(whole, {
    resizeWidth: width,
    resizeHeight: height,
    resizeQuality: "high",
  });
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")?.drawImage(small, 0, 0);
  small.close();
  return canvas;
}

/** Browsers that write no WebP write PNG without a word. */
async function written(canvas: OffscreenCanvas, quality: number): Promise<Blob> {
  const webp = await canvas.convertToBlob({ type: "image/webp", quality });
  return webp.type === "image/webp" ? webp : canvas.convertToBlob({ type: "image/jpeg", quality });
}
