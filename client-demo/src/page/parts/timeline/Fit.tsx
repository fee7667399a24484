/** Says so, before anything is accepted, when it does not fit on this device. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bytes } from "../../format";
import { roomOnDisk } from "../../hands/disk";
import { words } from "../../words";

export function Fit({ bytes: needed }: { bytes: number }) {
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
  const { drop, locale } = words.value;
  if (free.value === undefined) return null;
  return (
    <p class="held" role="status" data-testid="no-fit">
      {drop.noFit(bytes(needed, locale), bytes(Math.max(0, free.value), locale))}
    </p>
  );
}
