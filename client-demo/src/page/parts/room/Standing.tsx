/** How the connection stands: a dot for those who see, words for those who listen. */
import { roomState } from "../../store/here";
import { words } from "../../words";

export function Standing() {
  const state = roomState.value;
  const said = words.value.room.states[state];
  return (
    <output
      class={`standing ${state}`}
      data-testid="connection"
      data-state={state}
      aria-live="polite"
      title={said}
    >
      <span class="unseen">{said}</span>
    </output>
  );
}
