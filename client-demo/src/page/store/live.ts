/**
 * Going live with the microphone: a recording that is sent while it is made. It refuses to listen before someone
 * does: the first sound is taken when the first listener's player asks for it.
 */
import { signal } from "@preact/signals";
import type { LiveFile } from "../../sdk";

/** Milliseconds of sound in one piece: what a listener is behind at least. */
const PIECE = 250;
/** What browsers record, best first. */
const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

/** The recording that is offered or under way; calling it ends that. */
export const ending = signal<(() => void) | undefined>(undefined);

/** Whether this browser, at this address, can record. */
export function canGoLive(): boolean {
  return typeof MediaRecorder !== "undefined" && navigator.mediaDevices !== undefined;
}

/** Asks for the microphone, and gives a stream to offer. Rejects when the person or the browser says no. */
export async function microphone(): Promise<LiveFile> {
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(sound, mimeType ? { mimeType } : {});
  const type = recorder.mimeType || mimeType || "audio/webm";
  return { stream: recorded(recorder, sound), name: `${nameOf(new Date())}.${extension(type)}`, type };
}

function recorded(recorder: MediaRecorder, sound: MediaStream): ReadableStream<Uint8Array> {
  const over = () => {
    if (recorder.state !== "inactive") recorder.stop();
    for (const track of sound.getTracks()) track.stop();
    if (ending.value === end) ending.value = undefined;
  };
  let finish: () => void = () => undefined;
  const end = () => {
    if (recorder.state === "inactive") finish();
    over();
  };
  ending.value = end;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // A blob is read in its turn; the end comes after the last of them.
        let last = Promise.resolve();
        recorder.ondataavailable = ({ data }) => {
          last = last.then(async () => controller.enqueue(new Uint8Array(await data.arrayBuffer())));
        };
        finish = () => void last.then(() => controller.close()).catch(() => undefined);
        recorder.onstop = () => finish();
        recorder.onerror = () => controller.error(new Error("the recording broke off"));
      },
      pull() {
        if (recorder.state === "inactive" && ending.value === end) recorder.start(PIECE);
      },
      cancel: over,
    },
    { highWaterMark: 0 },
  );
}

function nameOf(now: Date): string {
  return `Live ${now.toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".")}`;
}

function extension(type: string): string {
  return /^audio\/(\w+)/.exec(type)?.[1] ?? "webm";
}
