/**
 * The share target of the installed page: a POST that never reaches the server. What another program shares is
 * put aside for the page, which is opened and takes it (`hands/shared.ts`). It refuses more than a drop can hold.
 */
import { del, set } from "idb-keyval";
import { SHARED_KEY, SHARED_QUERY, shareOf } from "./shelf";

/** Files, and characters of text, of one share. */
const MOST_FILES = 10_000;
const MOST_TEXT = 64 * 1024;
const PATH = "/share";

/** The part of a `FetchEvent` that is needed. */
interface Asked {
  readonly request: Request;
  respondWith(response: Response | Promise<Response>): void;
}

/** Answers a share, and says whether it was one. To be called first by the worker's `fetch` listener. */
export function takeShare(event: Asked): boolean {
  const { method, url } = event.request;
  if (method !== "POST" || new URL(url).pathname !== PATH) return false;
  event.respondWith(putAside(event.request));
  return true;
}

/** The page is opened even when nothing could be stored: it finds nothing, and says so. */
async function putAside(request: Request): Promise<Response> {
  try {
    await set(SHARED_KEY, shareOf(await request.formData(), MOST_FILES, MOST_TEXT));
  } catch {
    // Full or forbidden storage; what an earlier share left must not be taken for this one.
    await del(SHARED_KEY).catch(() => undefined);
  }
  return Response.redirect(`/?${SHARED_QUERY}`, 303);
}
