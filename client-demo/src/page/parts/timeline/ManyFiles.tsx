/** Several files offered together: their total and their answer, and each of them where one looks. */
import { type ReadonlySignal, type Signal, useComputed, useSignal } from "@preact/signals";
import { BadgeCheck, ChevronDown, Download, Files, Pause, Play, X } from "lucide";
import { bytes } from "../../format";
import { actOnDrop, saveStraight } from "../../store/receiving";
import { transferSignal } from "../../store/timeline";
import type { DropAction, DropView } from "../../store/views";
import { words } from "../../words";
import { Bar } from "../basics/Bar";
import { Icon } from "../basics/Icon";
import { later } from "../basics/later";
import { AnswerFoot } from "./AnswerFoot";
import { ChoosableRow } from "./ChoosableRow";
import { Fit } from "./Fit";
import { ReceiverOfAll } from "./Receiver";

/** Beyond so many files the list is folded, and only what is seen of it is drawn. */
const FEW = 6;

const LongList = later(() => import("./LongList").then((part) => part.LongList));

export function ManyFiles({ drop }: { drop: ReadonlySignal<DropView> }) {
  const { ids, offered, total, receivers, mine, stage } = drop.value;
  const left = useSignal<ReadonlySet<string>>(new Set());
  const t = words.value;
  const allSent = mine && stage === "moving" && total.size !== null && total.done >= total.size;
  return (
    <div class="many">
      <div class="many-top">
        <span class="thumb many-sign">
          <Icon node={Files} size={22} />
        </span>
        <div class="file-words">
          <p class="file-name" data-testid="drop-total">
            {t.files(ids.length)}
            {total.size !== null && `, ${bytes(total.size, t.locale)}`}
          </p>
          <p class="file-state">
            <span class={drop.value.tone} data-testid="drop-words">
              {allSent ? t.file.stages.sent : t.drop.stages[stage]}
            </span>
            {total.finished > 0 && total.finished < ids.length && (
              <span>{t.drop.of(total.finished, ids.length)}</span>
            )}
            {total.verified === ids.length && (
              <span class="verified" data-testid="all-verified">
                <Icon node={BadgeCheck} size={16} />
                {t.drop.allVerified}
              </span>
            )}
          </p>
        </div>
        <Buttons drop={drop} />
      </div>
      {(stage === "moving" || stage === "held") && !allSent && (
        <Bar progress={total} tone={drop.value.tone} label={t.files(ids.length)} testId="drop-progress" />
      )}
      {receivers.length > 0 && (
        <ul class="receivers">
          {receivers.map((receiver) => (
            <ReceiverOfAll key={receiver.member} receiver={receiver} sent={total.done} />
          ))}
        </ul>
      )}
      <Rows ids={ids} left={left} />
      {offered.length > 0 && !mine && <AnswerToMany drop={drop} left={left} />}
    </div>
  );
}

function Rows({ ids, left }: { ids: readonly string[]; left: Signal<ReadonlySet<string>> }) {
  const open = useSignal(false);
  const t = words.value.drop;
  if (ids.length <= FEW) {
    return (
      <ul class="files" aria-label={t.list}>
        {ids.map((id) => (
          <li key={id}>
            <ChoosableRow id={id} left={left} />
          </li>
        ))}
      </ul>
    );
  }
  return (
    <>
      <button
        class="fold"
        type="button"
        data-testid="show-files"
        aria-expanded={open.value}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        <span class={`fold-sign ${open.value ? "open" : ""}`}>
          <Icon node={ChevronDown} size={18} />
        </span>
        {open.value ? t.hide : t.show(ids.length)}
      </button>
      {open.value && <LongList ids={ids} left={left} />}
    </>
  );
}

function AnswerToMany({ drop, left }: { drop: ReadonlySignal<DropView>; left: Signal<ReadonlySet<string>> }) {
  const { id, from, offered } = drop.value;
  const t = words.value;
  const chosen = useComputed(() => drop.value.offered.filter((one) => !left.value.has(one)));
  const needed = chosen.value.reduce((sum, one) => sum + (transferSignal(one)?.peek().progress.size ?? 0), 0);
  const all = chosen.value.length === offered.length;
  return (
    <div class="answer">
      <Fit bytes={needed} onStraight={() => void saveStraight(id, chosen.value)} />
      <div class="answer-buttons">
        <button
          class="button primary"
          type="button"
          data-testid="accept-all"
          disabled={chosen.value.length === 0}
          onClick={() => void actOnDrop(id, "accept", chosen.value)}
        >
          {t.drop.acceptSome(chosen.value.length, bytes(needed, t.locale))}
        </button>
        <button
          class="button"
          type="button"
          data-testid="reject-all"
          onClick={() => void actOnDrop(id, "reject")}
        >
          {t.drop.rejectAll}
        </button>
        <label class="always quiet">
          <input
            type="checkbox"
            data-testid="choose-all"
            checked={all}
            indeterminate={!all && chosen.value.length > 0}
            onChange={(event) => {
              left.value = new Set(event.currentTarget.checked ? [] : offered);
            }}
          />
          <span>{t.drop.chooseAll}</span>
        </label>
      </div>
      <AnswerFoot drop={id} from={from} />
    </div>
  );
}

const BUTTONS = {
  pause: { sign: Pause, words: "pauseAll" },
  resume: { sign: Play, words: "resumeAll" },
  cancel: { sign: X, words: "cancelAll" },
  save: { sign: Download, words: "zip" },
} as const;

function Buttons({ drop }: { drop: ReadonlySignal<DropView> }) {
  const { id, actions, stage } = drop.value;
  const isOpen = stage === "open" || stage === "done";
  const t = words.value.drop;
  const shown = actions.filter(
    (action): action is Exclude<DropAction, "accept" | "reject"> => action in BUTTONS,
  );
  if (shown.length === 0) return null;
  return (
    <div class="file-buttons">
      {shown.map((action) => (
        <button
          key={action}
          class="button small"
          type="button"
          data-testid={`${action}-all`}
          onClick={() => void actOnDrop(id, action)}
        >
          <Icon node={BUTTONS[action].sign} size={16} />
          <span>{action === "cancel" && isOpen ? t.withdraw : t[BUTTONS[action].words]}</span>
        </button>
      ))}
    </div>
  );
}
