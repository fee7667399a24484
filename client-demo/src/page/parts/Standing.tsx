/** How the connection stands. */
import { roomState } from "../store/store";
import { ROOM_WORDS } from "../store/views";

export function Standing() {
  const { words, tone } = ROOM_WORDS[roomState.value];
  return (
    <output
      class={`standing ${tone}`}
      data-testid="connection"
      data-state={roomState.value}
      aria-live="polite"
    >
      {words}
    </output>
  );
}
