/** A picture, sound or video shown where it stands, while it comes or after: by the browser itself, in pieces. */
import { X } from "lucide";
import { stopWatching, watched } from "../../store/receiving";
import type { TransferView } from "../../store/views";
import { words } from "../../words";
import { IconButton } from "../basics/IconButton";

export function Player({ transfer: { id, name, kind } }: { transfer: TransferView }) {
  const address = watched.value.get(id);
  if (!address) return null;
  const common = { class: "player", src: address, "data-testid": "player" };
  const media = { ...common, controls: true, autoplay: true, "aria-label": name };
  return (
    <div class="player-place">
      {kind.name === "image" && <img {...common} alt={name} />}
      {kind.name === "video" && <video {...media} playsInline />}
      {kind.name === "audio" && <audio {...media} />}
      <IconButton
        node={X}
        label={words.value.close}
        of={name}
        testId="stop-watching"
        onClick={() => stopWatching(id)}
      />
    </div>
  );
}
