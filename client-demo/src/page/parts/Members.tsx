/** Who is in the room. */
import { me, members } from "../store/store";

export function Members() {
  return (
    <ul class="members" data-testid="members">
      {members.value.map(({ id, name, online }) => (
        <li key={id} class="member" data-testid="member">
          <span class={`dot ${online ? "good" : "held"}`} aria-hidden="true" />
          <span class="wrap">{name}</span>
          {id === me.value && <span class="quiet">you</span>}
          {!online && <span class="quiet">away</span>}
        </li>
      ))}
    </ul>
  );
}
