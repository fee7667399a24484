/**
 * What the browser remembers for the page: its storages, where they may be forbidden or full (then nothing is
 * remembered, and nothing breaks), and what an older or another page may have left in them (then it is as if
 * nothing were there).
 */

/** The tab's own storage ends with the tab; the browser's is shared by all tabs of this server's pages. */
export type Where = "tab" | "browser";

export function remembered(where: Where, key: string): string | undefined {
  try {
    return storage(where).getItem(name(key)) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(where: Where, key: string, value: string): void {
  try {
    storage(where).setItem(name(key), value);
  } catch {
    // See above.
  }
}

/** The list remembered under `key`, of what `read` makes sense of, and at most `most` of it. */
export function rememberedList<Item>(
  key: string,
  most: number,
  read: (value: Record<string, unknown>) => Item | undefined,
): Item[] {
  return listIn(remembered("browser", key) ?? "[]", most, read);
}

export function rememberList<Item>(key: string, items: readonly Item[]): void {
  remember("browser", key, JSON.stringify(items));
}

/** Calls back when another tab has changed what is remembered under `key`. */
export function onRemembered(key: string, changed: () => void): void {
  globalThis.addEventListener?.("storage", (event) => {
    if ((event as StorageEvent).key === name(key)) changed();
  });
}

/** The pure part of `rememberedList`. */
export function listIn<Item>(
  text: string,
  most: number,
  read: (value: Record<string, unknown>) => Item | undefined,
): Item[] {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return [];
    return list
      .filter((value) => typeof value === "object" && value !== null)
      .flatMap((value) => read(value as Record<string, unknown>) ?? [])
      .slice(0, most);
  } catch {
    return [];
  }
}

function storage(where: Where): Storage {
  return where === "tab" ? sessionStorage : localStorage;
}

function name(key: string): string {
  return `roomdrop|${key}`;
}
