/** A lost connection, said calmly: it comes back by itself, and so does all that was under way. */
import { WifiOff } from "lucide";
import { roomState } from "../../store/here";
import { words } from "../../words";
import { Icon } from "../basics/Icon";

export function Banner() {
  const t = words.value.room;
  return (
    <div class="banner-place" role="status">
      {roomState.value === "offline" && (
        <p class="banner" data-testid="offline">
          <Icon node={WifiOff} size={18} />
          <span>
            <strong>{t.lost}</strong> {t.lostHelp}
          </span>
        </p>
      )}
    </div>
  );
}
