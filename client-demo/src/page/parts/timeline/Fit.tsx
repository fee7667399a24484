/** Says so, before anything is accepted, when it does not fit on this device. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bytes } from "../../format";
import { roomOnDisk } from "../../hands/disk";
import { words } from "../../words";

interface FitProps {
  bytes: number;
  /** The way on: past this page, straight to disk. */
  onStraight: () => void;
}

export function Fit({ bytes: needed, onStraight }: FitProps) {
  const free = useSignal<number | undefined>(undefined);
  useEffect(() => {
    let looking = true;
    void roomOnDisk(needed).then((place) => {
      if (looking) free.value = place.fits ? undefined : place.free;
    });
    return () => {
      looking = false;
    };
  }, [needed]);
  const { drop, file, locale } = words.value;
  if (free.value === undefined) return null;
  return (
    <div class="no-fit" role="status" data-testid="no-fit">
      <p class="held">{drop.noFit(bytes(needed, locale), bytes(Math.max(0, free.value), locale))}</p>
      <button class="button small" type="button" data-testid="save-straight" onClick={onStraight}>
        {file.actions.download}
      </button>
    </div>
  );
}
