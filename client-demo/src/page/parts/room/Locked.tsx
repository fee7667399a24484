/** A room whose secret is not here: what it holds cannot be read, and the whole link is asked for. */
import { KeyRound } from "lucide";
import { locked } from "../../store/timeline";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { WholeLink } from "./WholeLink";

export function Locked() {
  const t = words.value.seal;
  if (!locked.value) return null;
  return (
    <section class="locked-room" data-testid="locked" aria-label={t.lockedTitle}>
      <Icon node={KeyRound} size={24} />
      <div class="locked-words">
        <h2>{t.lockedTitle}</h2>
        <p>{t.lockedHelp}</p>
        <WholeLink />
        <p class="quiet">{t.lockedHint}</p>
      </div>
    </section>
  );
}
