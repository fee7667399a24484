/** What was said and offered, as in a chat: oldest first, and kept at its end while one is there. */

import { useSignal } from "@preact/signals";
import { ArrowDown, Upload, UserRoundPlus } from "lucide";
import { useLayoutEffect, useRef } from "preact/hooks";
import { me, others, roomState } from "../../store/here";
import { dropSignal, type Entry, entries } from "../../store/timeline";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { DropCard } from "./DropCard";
import { MessageItem } from "./MessageItem";

/** Pixels from the end that still count as being there. */
const NEAR = 80;
/** Milliseconds within which messages of one person stand together. */
const TOGETHER = 5 * 60_000;

export function Timeline() {
  const { log, list, near, toEnd } = useEnd();
  const t = words.value.timeline;
  const all = entries.value;
  return (
    <div class="timeline-place">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
      <div class="timeline" role="log" aria-label={t.label} data-testid="timeline" tabIndex={0} ref={log}>
        {all.length === 0 && <Empty />}
        <ol class="entries" ref={list}>
          {all.map((entry, index) => (
            <li key={entry.id} class={`entry ${follows(entry, all[index - 1]) ? "follows" : ""}`}>
              <EntryItem entry={entry} follows={follows(entry, all[index - 1])} />
            </li>
          ))}
        </ol>
      </div>
      {!near.value && (
        <button class="to-end" type="button" data-testid="to-end" onClick={toEnd}>
          <Icon node={ArrowDown} size={18} />
          <span>{t.newest}</span>
        </button>
      )}
    </div>
  );
}

function EntryItem({ entry, follows }: { entry: Entry; follows: boolean }) {
  if (entry.kind === "message") {
    return <MessageItem message={entry.message} mine={entry.message.from === me.value} follows={follows} />;
  }
  const drop = dropSignal(entry.id);
  return drop ? <DropCard drop={drop} /> : null;
}

/** Whether it stands right below what the same person said before. */
function follows(entry: Entry, before: Entry | undefined): boolean {
  if (entry.kind !== "message" || before?.kind !== "message") return false;
  return entry.message.from === before.message.from && entry.at - before.at < TOGETHER;
}

function Empty() {
  const t = words.value.room;
  if (roomState.value === "connecting") return <p class="empty quiet">{t.states.connecting}…</p>;
  const alone = others.value.length === 0;
  return (
    <div class="empty" data-testid="empty">
      <span class="empty-sign">
        <Icon node={alone ? UserRoundPlus : Upload} size={30} />
      </span>
      <h2>{alone ? t.alone : t.quiet}</h2>
      <p>{alone ? t.aloneHelp : t.quietHelp}</p>
    </div>
  );
}

/** Keeps the end in view while one is there, whatever grows. */
function useEnd() {
  const log = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const near = useSignal(true);
  const toEnd = () => {
    near.value = true;
    log.current?.scrollTo({ top: log.current.scrollHeight });
  };
  useLayoutEffect(() => {
    const [box, content] = [log.current, list.current];
    if (!box || !content) return;
    let [whole, seen] = [0, 0];
    const looked = () => {
      // Where the layout has changed it was not the person who scrolled, and the observer goes after it.
      if (box.scrollHeight !== whole || box.clientHeight !== seen) return;
      near.value = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    };
    const grown = new ResizeObserver(() => {
      [whole, seen] = [box.scrollHeight, box.clientHeight];
      if (near.value) box.scrollTop = box.scrollHeight;
    });
    grown.observe(content);
    grown.observe(box);
    box.addEventListener("scroll", looked, { passive: true });
    return () => {
      grown.disconnect();
      box.removeEventListener("scroll", looked);
    };
  }, []);
  return { log, list, near, toEnd };
}
