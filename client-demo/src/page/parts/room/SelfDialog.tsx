/** One's name and picture, where there is no column for people. */
import { words } from "../../words";
import { Dialog } from "../basics/Dialog";
import { SelfEditor } from "../basics/SelfEditor";

export function SelfDialog({ onClose }: { onClose: () => void }) {
  const t = words.value.self;
  return (
    <Dialog title={t.label} testId="self-dialog" onClose={onClose}>
      <p class="quiet">{t.hint}</p>
      <SelfEditor />
    </Dialog>
  );
}
