/** The rooms one was in, and the way back into each. */
import { Lock, X } from "lucide";
import { ago } from "../../format";
import { forgetRoom, recentRooms } from "../../hands/recent";
import { pathOf } from "../../store/address";
import { goToRoom } from "../../store/route";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { IconButton } from "../basics/IconButton";

/** As many as are looked through at a glance. */
const SHOWN = 6;

export function RecentRooms() {
  const t = words.value.front;
  const rooms = recentRooms.value.slice(0, SHOWN);
  if (rooms.length === 0) return null;
  return (
    <section class="recent" aria-labelledby="recent-title">
      <h2 id="recent-title">{t.recent}</h2>
      <ul>
        {rooms.map((one) => (
          <li key={one.room} class="recent-room" data-testid="recent-room">
            <a
              href={pathOf(one)}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                goToRoom(one);
              }}
            >
              <span class="code wrap">{one.room}</span>
              <span class="quiet">
                {one.secret && (
                  <span class="recent-lock" title={t.encrypted}>
                    <Icon node={Lock} size={13} />
                    <span class="unseen">{t.encrypted}</span>
                  </span>
                )}
                {ago(one.at, Date.now(), words.value.locale)}
              </span>
            </a>
            <IconButton
              node={X}
              label={t.forget(one.room)}
              testId="forget-room"
              onClick={() => forgetRoom(one.room)}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}
