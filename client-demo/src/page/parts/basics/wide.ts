/**
 * Whether the window is wide enough for what stands beside a room; the style sheet folds it away below the same width.
 * It exists so that what is not shown is not loaded either.
 */
import { type ReadonlySignal, signal } from "@preact/signals";

/** As in `room.css`. */
const query = matchMedia("(max-width: 60rem)");
const state = signal(!query.matches);
query.addEventListener("change", () => {
  state.value = !query.matches;
});

export const wide: ReadonlySignal<boolean> = state;
