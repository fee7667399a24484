/**
 * The page's service worker: gives the browser's own downloads and players what only this side can open. It takes what
 * is shared with the installed page, too. Every other request goes its way untouched; nothing is cached here.
 */
import { headOf, partOf } from "./answer";
import { bytesOf } from "./bytes";
import { atAddress, type Broken, type Entry, type EntryAsked, INLINE, type WorkerAsked } from "./entry";
import type { Page, Scope } from "./scope";
import { takeShare } from "./share";
import { zipOf, zipSize } from "./zip";

const worker = self as unknown as Scope;

/** Milliseconds that a page has for its answer; one that sleeps in the background gives none. */
const PATIENCE = 10_000;

/** Answers that still move. */
let moving = 0;

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("message", (event) => {
  const asked = event.data as WorkerAsked;
  if (asked === "claim") event.waitUntil(worker.clients.claim());
  if (asked === "moving") event.ports[0]?.postMessage(moving);
});

/** Phones show notifications of the worker's alone (`hands/notices.ts`): a click on one brings the page to the front. */
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(showPage());
});

worker.addEventListener("fetch", (event) => {
  if (takeShare(event)) return;
  const url = new URL(event.request.url);
  const at = url.origin === worker.location.origin ? atAddress(url.pathname) : undefined;
  if (!at || event.request.method !== "GET") return;
  const answering = answer(at, url.searchParams.has(INLINE), event.request.headers.get("range"));
  event.respondWith(answering.then(({ response }) => response));
  event.waitUntil(answering.then(({ ended }) => ended));
});

async function showPage(): Promise<void> {
  const [page] = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  await (page?.focus?.() ?? worker.clients.openWindow("/"));
}

interface Answer {
  response: Response;
  /** Resolves when the last byte is gone, or nobody wants it any more. */
  ended: Promise<void>;
}

async function answer(
  at: { id: string; name: string },
  inline: boolean,
  range: string | null,
): Promise<Answer> {
  const entry = await entryOf(at.id);
  if (!entry) return refused(410, "The page that knows this file is closed. Open its room and try again.");
  const isFile = entry.kind === "file";
  const size = isFile ? entry.file.size : zipSize(entry.files);
  const type = isFile ? entry.file.type : "application/zip";
  const part = isFile ? partOf(range, size) : partOf(null, size);
  const head = headOf({ name: at.name, type, size, inline, ranges: isFile }, part);
  const broke = (error: unknown) => {
    // A player that misses a piece asks again, or says so itself.
    if (!inline) void tellBroken(at.id, error);
  };
  if (part.part === "none") return { response: new Response(null, head), ended: Promise.resolve() };
  const aborting = new AbortController();
  try {
    const wanted = part.part === "range" ? part : undefined;
    const bytes = isFile
      ? await bytesOf(entry.file, wanted, aborting.signal)
      : zipOf(entry.files, aborting.signal);
    const { stream, ended } = watched(bytes, aborting, broke);
    return { response: new Response(stream, head), ended };
  } catch (error) {
    broke(error);
    return refused(502, "It can't be had from the server now. Open its room and try again.");
  }
}

function refused(status: number, sentence: string): Answer {
  return { response: new Response(sentence, { status }), ended: Promise.resolve() };
}

/** The first page that knows it says what it is. */
async function entryOf(id: string): Promise<Entry | undefined> {
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const answers = pages.map(async (page) => (await asked(page, id)) ?? Promise.reject());
  return Promise.any(answers).catch(() => undefined);
}

function asked(page: Page, id: string): Promise<Entry | null> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<Entry | null>) => resolve(data);
    setTimeout(() => resolve(null), PATIENCE);
    page.postMessage({ ask: id } satisfies EntryAsked, [port2]);
  });
}

/** The same bytes; what goes wrong with them is told, and who goes away ends them. */
function watched(
  bytes: ReadableStream<Uint8Array>,
  aborting: AbortController,
  broke: (error: unknown) => void,
) {
  const reader = bytes.getReader();
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  moving += 1;
  void ended.then(() => {
    moving -= 1;
  });
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          controller.close();
        } catch (error) {
          broke(error);
          controller.error(error);
        }
        end();
      },
      async cancel(reason) {
        end();
        aborting.abort();
        await reader.cancel(reason).catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, ended };
}

async function tellBroken(id: string, error: unknown): Promise<void> {
  const code = (error as { code?: unknown } | null)?.code;
  const told: Broken = { broken: id, code: typeof code === "string" ? code : "source_failed" };
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages) page.postMessage(told);
}
