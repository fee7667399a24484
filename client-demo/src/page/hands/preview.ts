/**
 * A small picture of a picture, for the offer: made in a worker, so that the page stays quick. It never throws:
 * what is broken, too large, too slow or no picture has none.
 */

/** Bytes of a picture that is looked at, at most: its pixels take many times as much memory. */
const LARGEST = 32 * 1024 * 1024;
/** Milliseconds after which a picture has none. */
const PATIENCE = 10_000;
/** What browsers decode. SVG is left out: it has no pixels, and may be a whole program's work to draw. */
const TYPES = /^image\/(png|jpeg|gif|webp|avif|bmp)$/;

let worker: Worker | undefined;
let lastId = 0;

export async function previewOf(file: Blob): Promise<Blob | undefined> {
  if (!worthATry(file) || typeof Worker === "undefined") return undefined;
  lastId += 1;
  return asked(lastId, file).catch(() => undefined);
}

/** Whether a picture of `file` can be made at all. */
export function worthATry({ type, size }: Pick<Blob, "type" | "size">): boolean {
  return TYPES.test(type) && size > 0 && size <= LARGEST;
}

function asked(id: number, file: Blob): Promise<Blob | undefined> {
  worker ??= new Worker(new URL("./preview.worker.ts", import.meta.url), { type: "module" });
  const mine = worker;
  return new Promise((resolve) => {
    const giveUp = () => {
      mine.terminate();
      if (worker === mine) worker = undefined;
      done(undefined);
    };
    const timer = setTimeout(giveUp, PATIENCE);
    const answered = ({ data }: MessageEvent<{ id: number; preview: Blob | undefined }>) => {
      if (data.id === id) done(data.preview);
    };
    const done = (preview: Blob | undefined) => {
      clearTimeout(timer);
      mine.removeEventListener("message", answered);
      mine.removeEventListener("error", giveUp);
      resolve(preview);
    };
    mine.addEventListener("message", answered);
    mine.addEventListener("error", giveUp);
    mine.postMessage({ id, file });
  });
}
