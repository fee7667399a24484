/** Thousands of files: only those in view are drawn. Loaded when a long list is first unfolded. */
import type { Signal } from "@preact/signals";
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useRef } from "preact/hooks";
import { words } from "../../words";
import { ChoosableRow } from "./ChoosableRow";

/** Pixels of a row before it is measured. */
const ROW = 64;
/** Rows drawn beyond those in view. */
const AROUND = 6;

interface LongListProps {
  ids: readonly string[];
  left: Signal<ReadonlySet<string>>;
}

export function LongList({ ids, left }: LongListProps) {
  const [, redraw] = useReducer((turn: number, _: undefined) => turn + 1, 0);
  const box = useRef<HTMLDivElement>(null);
  const kept = useRef<Virtualizer<HTMLDivElement, HTMLLIElement> | undefined>(undefined);
  const options = {
    count: ids.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: AROUND,
    getItemKey: (index: number) => ids[index] ?? index,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => redraw(undefined),
  };
  kept.current ??= new Virtualizer(options);
  const list = kept.current;
  list.setOptions({ ...list.options, ...options });
  useLayoutEffect(() => list._didMount(), []);
  useLayoutEffect(() => list._willUpdate());
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <div class="long-list" ref={box} tabIndex={0} data-testid="long-list">
      <ul
        class="long-list-all"
        aria-label={words.value.drop.list}
        style={{ height: `${list.getTotalSize()}px` }}
      >
        {list.getVirtualItems().map(({ index, key, start }) => (
          <li
            key={key}
            class="long-list-row"
            data-index={index}
            aria-setsize={ids.length}
            aria-posinset={index + 1}
            ref={list.measureElement}
            style={{ transform: `translateY(${start}px)` }}
          >
            <ChoosableRow id={ids[index] ?? ""} left={left} />
          </li>
        ))}
      </ul>
    </div>
  );
}
