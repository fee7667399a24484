/** The browser's storages, where they may be forbidden or full: then nothing is remembered, and nothing breaks. */

type Where = "tab" | "browser";

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

function storage(where: Where): Storage {
  return where === "tab" ? sessionStorage : localStorage;
}

function name(key: string): string {
  return `roomdrop|${key}`;
}
