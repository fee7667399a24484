/** Which keys answer this offer, while it is the one that they answer. */
import { answerable } from "../../store/keys";
import { words } from "../../words";

export function KeyHint({ drop }: { drop: string }) {
  const t = words.value.drop;
  if (answerable.value !== drop) return null;
  return (
    <p class="key-hint quiet" data-testid="key-hint">
      <kbd>{t.keyAccept}</kbd> {t.accepts} <kbd>{t.keyReject}</kbd> {t.rejects}
    </p>
  );
}
