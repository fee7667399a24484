/** Offers to tell when it is done: where that takes a while, which is when a notification is first of use. */
import type { ReadonlySignal } from "@preact/signals";
import { Bell } from "lucide";
import { askToNotify, notifying } from "../../hands/notices";
import type { DropView } from "../../store/views";
import { words } from "../../words";
import { Icon } from "../basics/Icon";

/** Seconds that one would rather not wait for. */
const LONG = 30;

export function TellMe({ drop }: { drop: ReadonlySignal<DropView> }) {
  const { stage, total } = drop.value;
  if (notifying.value !== "ask" || stage !== "moving" || (total.secondsLeft ?? 0) < LONG) return null;
  return (
    <button class="fold" type="button" data-testid="tell-me" onClick={() => void askToNotify()}>
      <Icon node={Bell} size={16} />
      {words.value.settings.notifyDone}
    </button>
  );
}
