/**
 * What another program on this device has shared with the installed page. The service worker has put it aside
 * (`sw/share.ts`); here it is taken, once.
 */
import { del, get } from "idb-keyval";
import { isShare, SHARED_KEY, SHARED_QUERY } from "../sw/shelf";
import { type Gathered, MOST_FILES } from "./gather";
import { fitFile } from "./names";
import { ready } from "./worker";

/** The query of the manifest's shortcut. */
const NEW_QUERY = "new";

/**
 * What was shared, if this page was opened for it; `lost` when it could not be kept. The address forgets it, so
 * that a reload brings nothing twice.
 */
export async function takeShared(): Promise<Gathered | "lost" | undefined> {
  beReady();
  if (!takeQuery(SHARED_QUERY)) return undefined;
  try {
    const share: unknown = await get(SHARED_KEY);
    await del(SHARED_KEY);
    return isShare(share) ? gatheredFrom(share.files, share.text) : "lost";
  } catch {
    return "lost";
  }
}

/** Only an installed page is shared with, and only its worker can take it. */
function beReady(): void {
  const installed = matchMedia("(display-mode: standalone)").matches;
  if (installed) void ready();
  else addEventListener("appinstalled", () => void ready(), { once: true });
}

/** Whether the page was opened by the shortcut that starts a room; once, as above. */
export function takeNewRoom(): boolean {
  return takeQuery(NEW_QUERY);
}

function takeQuery(name: string): boolean {
  const address = new URL(location.href);
  if (!address.searchParams.has(name)) return false;
  address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
  return true;
}

/** The pure part of `takeShared`. */
export function gatheredFrom(files: readonly File[], text: string): Gathered {
  const taken = files.slice(0, MOST_FILES).map((file) => ({ file: fitFile(file), path: "" }));
  const said = taken.length === 0 && text ? { text } : {};
  return { files: taken, unreadable: [], more: files.length > MOST_FILES, ...said };
}
