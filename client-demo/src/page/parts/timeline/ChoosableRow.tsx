/** A file among several: with a box to leave it out, while it waits for an answer. */
import type { Signal } from "@preact/signals";
import { transferSignal } from "../../store/timeline";
import { words } from "../../words";
import { FileRow } from "./FileRow";

interface ChoosableRowProps {
  id: string;
  /** Files that are not to be accepted. */
  left: Signal<ReadonlySet<string>>;
}

export function ChoosableRow({ id, left }: ChoosableRowProps) {
  const view = transferSignal(id)?.value;
  if (!view) return null;
  const choose = (take: boolean) => {
    const next = new Set(left.value);
    if (take) next.delete(id);
    else next.add(id);
    left.value = next;
  };
  return (
    <div class="choosable">
      {view.stage === "offered" && view.seal !== "locked" && (
        <input
          type="checkbox"
          data-testid="choose-one"
          aria-label={words.value.drop.choose(view.name)}
          checked={!left.value.has(id)}
          onChange={(event) => choose(event.currentTarget.checked)}
        />
      )}
      <FileRow id={id} />
    </div>
  );
}
