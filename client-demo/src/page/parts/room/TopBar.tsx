/** The room's bar: where one is, whether it is encrypted, how the connection stands, and what else there is. */
import { useSignal } from "@preact/signals";
import { Bell, Ellipsis, LogOut, Share2, UserRound } from "lucide";
import { notifying } from "../../hands/notices";
import { roomState } from "../../store/here";
import { beNotified } from "../../store/notifying";
import { leave } from "../../store/route";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { Mark } from "../basics/Mark";
import { Menu, MenuItem } from "../basics/Menu";
import { LanguageChoice, ThemeChoice } from "../basics/Settings";
import { SelfDialog, ShareDialog } from "./lazy";
import { SealBadge } from "./SealBadge";
import { Standing } from "./Standing";

type Open = "nothing" | "share" | "self";

export function TopBar({ room }: { room: string }) {
  const open = useSignal<Open>("nothing");
  const t = words.value.room;
  const close = () => {
    open.value = "nothing";
  };
  return (
    <header class="top">
      <div class="top-where">
        <Mark />
        <h1 class="top-code code" data-testid="room-id">
          {room}
        </h1>
        <SealBadge />
        <Standing />
      </div>
      <div class="top-what">
        <button
          class="button primary share"
          type="button"
          data-testid="share"
          disabled={roomState.value === "refused"}
          onClick={() => {
            open.value = "share";
          }}
        >
          <Icon node={Share2} size={18} />
          <span>{words.value.invite.share}</span>
        </button>
        <Menu node={Ellipsis} label={t.menu} testId="menu" side="below">
          {(closeMenu) => (
            <>
              <MenuItem
                node={UserRound}
                testId="self"
                onClick={() => {
                  closeMenu();
                  open.value = "self";
                }}
              >
                {words.value.self.change}
              </MenuItem>
              {notifying.value === "ask" && (
                <MenuItem node={Bell} testId="notify" onClick={() => void beNotified().then(closeMenu)}>
                  {words.value.settings.notify}
                </MenuItem>
              )}
              <div class="menu-choices">
                <LanguageChoice />
                <ThemeChoice />
              </div>
              <MenuItem node={LogOut} testId="leave" onClick={leave}>
                {t.leave}
              </MenuItem>
            </>
          )}
        </Menu>
      </div>
      {open.value === "share" && <ShareDialog onClose={close} />}
      {open.value === "self" && <SelfDialog onClose={close} />}
    </header>
  );
}
