/** Sound or video played where it stands, while it comes: the browser's own player over the HTTP download. */
import { playing } from "../store/store";
import type { TransferView } from "../store/views";

export function Player({ transfer: { id, name, media } }: { transfer: TransferView }) {
  const url = playing.value.get(id);
  if (!url || !media) return null;
  const common = { class: "player", controls: true, autoplay: true, src: url, "data-testid": "player" };
  return media === "video" ? (
    <video {...common} playsInline aria-label={name} />
  ) : (
    <audio {...common} aria-label={name} />
  );
}
