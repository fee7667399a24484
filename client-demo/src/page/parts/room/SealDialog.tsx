/** What it means that a room is encrypted, or is not. */
import { sealed } from "../../store/here";
import { startRoom } from "../../store/route";
import { locked } from "../../store/timeline";
import { words } from "../../words";
import { Dialog } from "../basics/Dialog";
import { WholeLink } from "./WholeLink";

export function SealDialog({ onClose }: { onClose: () => void }) {
  const t = words.value.seal;
  const kind = sealed.value ? "open" : locked.value ? "locked" : "none";
  return (
    <Dialog title={t[`${kind}Title`]} testId="seal-dialog" onClose={onClose}>
      <p>{t[`${kind}Help`]}</p>
      <p class="quiet">{t[`${kind}Hint`]}</p>
      {kind === "locked" && <WholeLink />}
      {kind === "none" && (
        <button class="button" type="button" data-testid="start-sealed" onClick={() => startRoom()}>
          {t.startNew}
        </button>
      )}
    </Dialog>
  );
}
