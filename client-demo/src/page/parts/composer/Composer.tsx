/** Where one says something and offers files: a field, the tray above it, and one button that sends both. */
import { useSignal } from "@preact/signals";
import { FolderUp, Link, Mic, Paperclip, Plus, SendHorizontal } from "lucide";
import { useRef } from "preact/hooks";
import { choose, chooseFolder, fromChooser, fromPaste } from "../../hands/gather";
import { tray } from "../../hands/tray";
import { others, services } from "../../store/here";
import { canGoLive, ending } from "../../store/live";
import { goLive, MOST_TEXT, send, sending, stage, text } from "../../store/offering";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { later } from "../basics/later";
import { Menu, MenuItem } from "../basics/Menu";
import { Fetches } from "./Fetches";
import { Tray } from "./Tray";

const LinksDialog = later(() => import("./LinksDialog").then((part) => part.LinksDialog));

export function Composer() {
  const asked = useSignal<"nothing" | "links">("nothing");
  return (
    <div class="composer">
      <Fetches />
      <Live />
      <form
        class="composer-box"
        data-testid="composer"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <Tray />
        <div class="composer-row">
          <Attach
            onLinks={() => {
              asked.value = "links";
            }}
          />
          <Field />
          <SendButton />
        </div>
      </form>
      {asked.value === "links" && (
        <LinksDialog
          onClose={() => {
            asked.value = "nothing";
          }}
        />
      )}
    </div>
  );
}

function Attach({ onLinks }: { onLinks: () => void }) {
  const t = words.value.composer;
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <>
      <Menu node={Plus} label={t.attach} testId="attach" side="above">
        {(close) => {
          const chosen = (what: () => void) => () => {
            close();
            what();
          };
          return (
            <>
              <MenuItem node={Paperclip} testId="choose" onClick={chosen(() => pick(chooser.current))}>
                {t.chooseFiles}
              </MenuItem>
              <MenuItem
                node={FolderUp}
                testId="choose-folder"
                onClick={chosen(() => void stage(chooseFolder()))}
              >
                {t.chooseFolder}
              </MenuItem>
              {services.value?.fetches && (
                <MenuItem node={Link} testId="from-link" onClick={chosen(onLinks)}>
                  {t.fromLink}
                </MenuItem>
              )}
              {canGoLive() && !ending.value && (
                <MenuItem node={Mic} testId="go-live" onClick={chosen(() => void goLive())}>
                  {t.goLive}
                </MenuItem>
              )}
            </>
          );
        }}
      </Menu>
      <input
        ref={chooser}
        data-testid="choose-files"
        class="unseen"
        type="file"
        multiple
        tabIndex={-1}
        aria-label={t.chooseFiles}
        onChange={(event) => {
          const gathered = fromChooser(event.currentTarget.files);
          event.currentTarget.value = "";
          void stage(gathered);
        }}
      />
    </>
  );
}

/** The browser's own picker finds the files again after a reload; where there is none, an input does. */
function pick(chooser: HTMLInputElement | null): void {
  if ("showOpenFilePicker" in window) void stage(choose());
  else chooser?.click();
}

/** Enter sends, with Shift it is a new line. The field grows with what is in it. */
function Field() {
  const t = words.value.composer;
  const staged = tray.value.length > 0;
  return (
    <textarea
      class="composer-field"
      data-testid={staged ? "note" : "say"}
      rows={1}
      maxLength={MOST_TEXT}
      aria-label={staged ? t.note : t.label}
      placeholder={staged ? t.note : t.placeholder}
      value={text.value}
      onInput={(event) => {
        text.value = event.currentTarget.value;
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.currentTarget.blur();
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        void send();
      }}
      onPaste={(event) => {
        const data = event.clipboardData;
        const long = (data?.getData("text/plain").length ?? 0) > MOST_TEXT;
        if (!data || (data.files.length === 0 && !long)) return;
        event.preventDefault();
        void stage(fromPaste(data, t.picture));
      }}
    />
  );
}

function SendButton() {
  const t = words.value.composer;
  const empty = text.value.trim() === "" && tray.value.length === 0;
  return (
    <button
      class="send"
      type="submit"
      data-testid="send"
      disabled={empty || sending.value === "sending"}
      title={t.send}
      aria-label={t.send}
    >
      <Icon node={SendHorizontal} />
    </button>
  );
}

function Live() {
  const t = words.value.composer;
  const end = ending.value;
  if (!end) return null;
  return (
    <p class="live-bar" data-testid="live">
      <span class="live-dot" aria-hidden="true" />
      <span>{t.live}</span>
      <span class="quiet">{others.value.length > 0 ? t.liveHelp : ""}</span>
      <button class="button small" type="button" data-testid="end-live" onClick={end}>
        {t.endLive}
      </button>
    </p>
  );
}
