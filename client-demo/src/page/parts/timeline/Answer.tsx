/** The answer to an offer of one file: take it, or not. */
import { act, saveStraight } from "../../store/receiving";
import type { TransferView } from "../../store/views";
import { words } from "../../words";
import { ActionButtons } from "./ActionButtons";
import { AnswerFoot } from "./AnswerFoot";
import { Fit } from "./Fit";

interface AnswerProps {
  drop: string;
  from: string;
  transfer: TransferView;
}

export function Answer({ drop, from, transfer }: AnswerProps) {
  const t = words.value.drop;
  const { id, actions, progress } = transfer;
  return (
    <div class="answer">
      {actions.includes("accept") && (
        <Fit bytes={progress.size ?? 0} onStraight={() => void saveStraight(drop, [id])} />
      )}
      <div class="answer-buttons">
        {actions.includes("accept") && (
          <button
            class="button primary"
            type="button"
            data-testid="accept"
            aria-label={`${t.accept}: ${transfer.name}`}
            onClick={() => void act(id, "accept")}
          >
            {t.accept}
          </button>
        )}
        <button
          class="button"
          type="button"
          data-testid="reject"
          aria-label={`${t.reject}: ${transfer.name}`}
          onClick={() => void act(id, "reject")}
        >
          {t.reject}
        </button>
        <ActionButtons transfer={transfer} only={["play", "download"]} />
      </div>
      {actions.includes("accept") && <AnswerFoot drop={drop} from={from} />}
    </div>
  );
}
