/**
 * Light or dark: as the system says, or as a person chose. It sets `data-theme` on the document, which the
 * style sheet follows, and the colour that a phone's browser paints around the page; it knows no other colours.
 */
import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { remember, remembered } from "./memory";

export type Theme = "system" | "light" | "dark";

const KEY = "theme";
const chosen = signal<Theme>("system");

export const theme: ReadonlySignal<Theme> = computed(() => chosen.value);

/** Reads what was chosen, and follows it from now on. To be called once, as early as possible. */
export function beginTheme(): void {
  chosen.value = themeOf(remembered("browser", KEY));
  effect(() => show(chosen.value));
}

export function setTheme(theme: Theme): void {
  chosen.value = theme;
  remember("browser", KEY, theme);
}

/** What was remembered, if it is a theme. */
export function themeOf(text: string | undefined): Theme {
  return text === "light" || text === "dark" ? text : "system";
}

/** The style sheet looks at `data-theme`; form controls and scroll bars go by the `color-scheme` it sets. */
function show(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === "system") delete dataset.theme;
  else dataset.theme = theme;
  for (const meta of document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color][media]")) {
    const own = meta.dataset.scheme;
    meta.media = theme === "system" ? `(prefers-color-scheme: ${own})` : own === theme ? "all" : "not all";
  }
}
