/** Offers, once something takes its time, to tell about it while one looks elsewhere. */
import { Bell } from "lucide";
import { beNotified, declineNotices, suggested } from "../../store/notifying";
import { words } from "../../words";
import { Icon } from "../basics/Icon";

export function NotifyHint() {
  if (!suggested.value) return null;
  const t = words.value.settings;
  return (
    <div class="hint-bar" data-testid="notify-hint">
      <Icon node={Bell} size={18} />
      <span class="grow">{t.notifyHint}</span>
      <button
        class="button small primary"
        type="button"
        data-testid="notify-yes"
        onClick={() => void beNotified()}
      >
        {t.notifyYes}
      </button>
      <button class="button small" type="button" data-testid="notify-no" onClick={declineNotices}>
        {t.notifyNo}
      </button>
    </div>
  );
}
