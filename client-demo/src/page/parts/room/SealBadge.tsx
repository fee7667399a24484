/** Whether the room is encrypted end to end, and what that means when one asks. */
import { useSignal } from "@preact/signals";
import { Lock, LockOpen } from "lucide";
import { sealed } from "../../store/here";
import { locked } from "../../store/timeline";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { SealDialog } from "./lazy";

export function SealBadge() {
  const explained = useSignal(false);
  const t = words.value.seal;
  const kind = sealed.value ? "open" : locked.value ? "locked" : "none";
  return (
    <>
      <button
        class={`seal-badge ${kind}`}
        type="button"
        data-testid="seal"
        data-seal={kind}
        title={t[`${kind}Title`]}
        onClick={() => {
          explained.value = true;
        }}
      >
        <Icon node={sealed.value ? Lock : LockOpen} size={15} />
        <span>{t[kind]}</span>
      </button>
      {explained.value && (
        <SealDialog
          onClose={() => {
            explained.value = false;
          }}
        />
      )}
    </>
  );
}
