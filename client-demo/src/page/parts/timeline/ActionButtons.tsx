/** What may be done with one file. What is asked of a person is written out; the rest are drawings. */
import {
  Check,
  CirclePlay,
  Download,
  Eraser,
  Eye,
  FileUp,
  HardDriveDownload,
  type IconNode,
  Pause,
  Play,
  Trash2,
  X,
} from "lucide";
import { useRef } from "preact/hooks";
import { supply } from "../../store/offering";
import { act } from "../../store/receiving";
import type { Action, TransferView } from "../../store/views";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { IconButton } from "../basics/IconButton";

const SIGNS: Record<Action, IconNode> = {
  play: CirclePlay,
  accept: Check,
  download: HardDriveDownload,
  reject: X,
  pause: Pause,
  resume: Play,
  cancel: X,
  delete: Trash2,
  save: Download,
  forget: Eraser,
  supply: FileUp,
  wake: Play,
};

export function ActionButtons({ transfer, only }: { transfer: TransferView; only: readonly Action[] }) {
  const shown = transfer.actions.filter((action) => only.includes(action));
  if (shown.length === 0) return null;
  return (
    <div class="file-buttons">
      {shown.map((action) =>
        action === "supply" || action === "wake" ? (
          <Again key={action} action={action} transfer={transfer} />
        ) : (
          <IconButton
            key={action}
            node={action === "play" && transfer.kind.name === "image" ? Eye : SIGNS[action]}
            label={labelOf(action, transfer)}
            of={transfer.name}
            testId={action}
            onClick={() => void act(transfer.id, action)}
          />
        ),
      )}
    </div>
  );
}

/** What nobody is getting just now is not cancelled, but withdrawn. */
function labelOf(action: Action, { stage }: TransferView): string {
  const { file, drop } = words.value;
  const isOpen = stage === "open" || stage === "delivered";
  return action === "cancel" && isOpen ? drop.withdraw : file.actions[action];
}

/** What a sender has to do after a reload: choose the file again, or only say that it may be read again. */
function Again({ action, transfer: { id, name } }: { action: "supply" | "wake"; transfer: TransferView }) {
  const chooser = useRef<HTMLInputElement>(null);
  const t = words.value.file;
  return (
    <>
      <button
        class="button small primary"
        type="button"
        data-testid={action}
        aria-label={`${t.actions[action]}: ${name}`}
        onClick={() => (action === "supply" ? chooser.current?.click() : void act(id, action))}
      >
        <Icon node={SIGNS[action]} size={16} />
        <span>{t.actions[action]}</span>
      </button>
      {action === "supply" && (
        <input
          ref={chooser}
          data-testid="supply-files"
          class="unseen"
          type="file"
          multiple
          tabIndex={-1}
          aria-label={t.again(name)}
          onChange={(event) => void supply([...(event.currentTarget.files ?? [])])}
        />
      )}
    </>
  );
}
