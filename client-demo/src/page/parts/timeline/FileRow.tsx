/** One file of an offer: how it stands, what may be done, and, where it is the only one, who gets it. */
import { BadgeCheck } from "lucide";
import { bytes } from "../../format";
import { sentence } from "../../store/problems";
import { transferSignal } from "../../store/timeline";
import type { Action, TransferView } from "../../store/views";
import { words } from "../../words";
import { Bar } from "../basics/Bar";
import { Icon } from "../basics/Icon";
import { Thumb } from "../basics/Thumb";
import { ActionButtons } from "./ActionButtons";
import { Answer } from "./Answer";
import { CopyError, CopyWords } from "./CopyWords";
import { Player } from "./Player";
import { Receiver } from "./Receiver";

interface FileRowProps {
  id: string;
  /** The drop it is the only file of: then the answer to it is given here, and its receivers are shown. */
  alone?: { drop: string; from: string };
}

export function FileRow({ id, alone }: FileRowProps) {
  const view = transferSignal(id)?.value;
  if (!view) return null;
  const { name, path, progress, stage, tone, copy, error, receivers, moving, direction } = view;
  const t = words.value;
  const mine = direction === "outgoing";
  const locked = view.seal === "locked";
  const flowing = receivers.length > 0 && mine && alone;
  return (
    <div class="file" data-testid="transfer" data-name={name} data-tone={tone} data-stage={stage}>
      <div class="file-row">
        <Thumb preview={view.preview} kind={locked ? "locked" : view.kind.name} />
        <div class="file-words">
          <p class="file-name wrap" data-testid="file-name">
            {path && !locked && <span class="file-path">{path}/</span>}
            {locked ? t.seal.lockedFile : name}
          </p>
          <p class="file-state">
            <span>{progress.size === null ? t.file.sizeUnknown : bytes(progress.size, t.locale)}</span>
            <span class={!alone && stage === "offered" ? "unseen" : tone} data-testid="transfer-words">
              {t.file.stages[stage]}
            </span>
            {view.verified && <Verified />}
            {copy && <CopyWords copy={copy} />}
          </p>
        </div>
        <ActionButtons transfer={view} only={buttonsOf(view, alone !== undefined)} />
      </div>
      {moving && stage !== "sent" && stage !== "verifying" && (
        <Bar progress={progress} tone={tone} label={`${name}: ${t.file.stages[stage]}`} testId="progress" />
      )}
      <Player transfer={view} />
      <Faults error={error} copy={copy} />
      {alone && stage === "offered" && <Answer drop={alone.drop} from={alone.from} transfer={view} />}
      {flowing && (
        <ul class="receivers" aria-label={t.file.receivers(name)}>
          {receivers.map((receiver) => (
            <Receiver key={receiver.member} receiver={receiver} sent={view.progress.done} />
          ))}
        </ul>
      )}
    </div>
  );
}

/** What stands beside the name: of one file alone the answer stands below, and of several it is given to all. */
function buttonsOf({ stage, actions, moving }: TransferView, alone: boolean): readonly Action[] {
  if (stage === "offered") return alone ? [] : ["play"];
  if (alone) return actions;
  return actions.filter((action) => action !== "forget" && (moving || action !== "cancel"));
}

function Verified() {
  const { verified, verifiedHelp } = words.value.file;
  return (
    <span class="verified" data-testid="verified" title={verifiedHelp}>
      <Icon node={BadgeCheck} size={16} />
      {verified}
    </span>
  );
}

function Faults({ error, copy }: Pick<TransferView, "error" | "copy">) {
  return (
    <>
      {error && (
        <p class="bad wrap" role="alert" data-testid="transfer-error">
          {sentence(error)}
        </p>
      )}
      {copy && <CopyError copy={copy} />}
    </>
  );
}
