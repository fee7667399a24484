/** The whole page takes what is dropped on it or pasted into it, and says so while something is held over it. */
import { useSignal } from "@preact/signals";
import { Download } from "lucide";
import { useEffect } from "preact/hooks";
import { fromDrop, fromPaste } from "../../hands/gather";
import { stage } from "../../store/offering";
import { words } from "../../words";
import { Icon } from "../basics/Icon";

export function DropOverlay() {
  const over = useSignal(false);
  useEffect(() => {
    // Entering a child is leaving its parent: what counts is whether all that was entered was left.
    let inside = 0;
    const show = (change: number) => (event: DragEvent) => {
      if (!event.dataTransfer?.types.some((type) => type === "Files" || type === "text/plain")) return;
      inside = Math.max(0, inside + change);
      over.value = inside > 0;
    };
    const [enter, leave] = [show(1), show(-1)];
    const hold = (event: DragEvent) => event.preventDefault();
    const drop = (event: DragEvent) => {
      event.preventDefault();
      inside = 0;
      over.value = false;
      if (event.dataTransfer) void stage(fromDrop(event.dataTransfer));
    };
    const paste = (event: ClipboardEvent) => {
      // Fields take it themselves.
      if (event.target instanceof Element && event.target.closest("input, textarea")) return;
      if (event.clipboardData) void stage(fromPaste(event.clipboardData, words.value.composer.picture));
    };
    const listeners = { dragenter: enter, dragleave: leave, dragover: hold, drop, paste };
    for (const [name, listener] of Object.entries(listeners))
      document.addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) {
        document.removeEventListener(name, listener as EventListener);
      }
    };
  }, []);
  if (!over.value) return null;
  const t = words.value.composer;
  return (
    <div class="overlay" data-testid="overlay">
      <div class="overlay-words">
        <Icon node={Download} size={40} />
        <p class="overlay-title">{t.dropHere}</p>
        <p>{t.dropHelp}</p>
      </div>
    </div>
  );
}
