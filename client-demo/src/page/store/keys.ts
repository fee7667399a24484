/**
 * Enter takes the newest offer that waits, Escape refuses it: only while the focus is on nothing that has a use of its
 * own for them, so that nobody refuses what they did not mean to.
 */
import { computed } from "@preact/signals";
import { actOnDrop } from "./receiving";
import { dropViews, looks } from "./timeline";

/** What has a use of its own for keys. */
const BUSY =
  "a, button, input, textarea, select, summary, dialog, audio, video, [contenteditable], [role=switch]";

/** The offer that the keys answer: the newest that waits. */
export const answerable = computed(() => {
  looks.value;
  return dropViews()
    .filter(({ offered, seal }) => offered.length > 0 && seal !== "locked")
    .sort((one, other) => other.at - one.at)[0]?.id;
});

/** Listens until the function it returns is called. */
export function listenForKeys(): () => void {
  document.addEventListener("keydown", answer);
  return () => document.removeEventListener("keydown", answer);
}

function answer(event: KeyboardEvent): void {
  const id = answerable.peek();
  if (!id || event.defaultPrevented || event.repeat || document.querySelector("dialog[open]")) return;
  if (event.target instanceof Element && event.target.closest(BUSY)) return;
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.preventDefault();
  void actOnDrop(id, event.key === "Enter" ? "accept" : "reject");
}
