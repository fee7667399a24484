/** What stands below every answer: whether it is to be given by itself from now on, and the keys for it. */
import { AlwaysFrom } from "./AlwaysFrom";
import { KeyHint } from "./KeyHint";

export function AnswerFoot({ drop, from }: { drop: string; from: string }) {
  return (
    <div class="answer-foot">
      <AlwaysFrom member={from} />
      <KeyHint drop={drop} />
    </div>
  );
}
