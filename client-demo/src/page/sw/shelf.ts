/** What the service worker puts aside for the page when something is shared with it: one share, the newest. */

/** The key in IndexedDB, and the query of the page's address that tells it to look there. */
export const SHARED_KEY = "shared";
export const SHARED_QUERY = "shared";

export interface Share {
  files: File[];
  /** What was shared as text: a title, words, an address. */
  text: string;
}

export function isShare(value: unknown): value is Share {
  if (typeof value !== "object" || value === null) return false;
  const { files, text } = value as Partial<Share>;
  return Array.isArray(files) && files.every((file) => file instanceof File) && typeof text === "string";
}

/** What came as a form, in one: a share's title, text and address, each line once. */
export function shareOf(form: FormData, mostFiles: number, mostText: number): Share {
  const files = form.getAll("files").filter((value) => value instanceof File);
  const lines = ["title", "text", "url"]
    .map((name) => form.get(name))
    .filter((one) => typeof one === "string");
  const text = [...new Set(lines.map((line) => line.trim()).filter((line) => line !== ""))].join("\n");
  return { files: files.slice(0, mostFiles), text: text.slice(0, mostText) };
}
