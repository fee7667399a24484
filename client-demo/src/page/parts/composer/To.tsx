/** For whom: everyone, or those whose faces are pressed. */
import { others } from "../../store/here";
import { to, toEveryone, toggleTo } from "../../store/offering";
import { words } from "../../words";
import { Avatar } from "../basics/Avatar";

export function To() {
  const t = words.value.composer;
  const chosen = to.value;
  if (others.value.length === 0) return null;
  return (
    <fieldset class="to" data-testid="offer-to">
      <legend class="to-legend">{t.to}</legend>
      <button
        class="chip"
        type="button"
        data-testid="to-everyone"
        aria-pressed={chosen.length === 0}
        onClick={toEveryone}
      >
        {t.everyone}
      </button>
      {others.value.map(({ id, face, online }) => (
        <button
          key={id}
          class="chip"
          type="button"
          data-testid="to-member"
          data-name={face.name}
          aria-pressed={chosen.includes(id)}
          onClick={() => toggleTo(id)}
        >
          <Avatar face={face} size="small" online={online} />
          <span class="chip-name">{face.name}</span>
        </button>
      ))}
    </fieldset>
  );
}
