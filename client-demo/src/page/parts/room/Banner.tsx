/**
 * What stands above the timeline for a while: a lost connection, said calmly, since it comes back by itself and so does
 * all that was under way; and a suggestion.
 */
import { WifiOff } from "lucide";
import { roomState } from "../../store/here";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { NotifyHint } from "./NotifyHint";

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
      <NotifyHint />
    </div>
  );
}
