/** What is about to be offered: pictures, names, a total; for whom, and whether a copy is kept. */
import { Plus, X } from "lucide";
import { bytes } from "../../format";
import { choose } from "../../hands/gather";
import { clearTray, removeFromTray, type Staged, tray, trayTotal } from "../../hands/tray";
import { grouped, type Heap } from "../../store/heaps";
import { sealed, services } from "../../store/here";
import { kindOf } from "../../store/kinds";
import { keep, stage } from "../../store/offering";
import { words } from "../../words";
import { Icon } from "../basics/Icon";
import { IconButton } from "../basics/IconButton";
import { Switch } from "../basics/Switch";
import { Thumb } from "../basics/Thumb";
import { To } from "./To";

/** Beyond these, the total says how many there are. */
const SHOWN = 60;

export function Tray() {
  const t = words.value.composer;
  const staged = tray.value;
  if (staged.length === 0) return null;
  const { files, bytes: size } = trayTotal.value;
  const heaps = grouped(staged);
  return (
    <section class="tray" aria-label={t.tray} data-testid="tray">
      <header class="tray-top">
        <p class="tray-total" data-testid="tray-total" data-files={files} role="status">
          {t.total(files, size)}
        </p>
        <button
          class="button small add-more"
          type="button"
          data-testid="add-more"
          onClick={() => void stage(choose())}
        >
          <Icon node={Plus} size={16} />
          <span>{t.addMore}</span>
        </button>
        <button class="button small" type="button" data-testid="clear" onClick={clearTray}>
          {t.clear}
        </button>
      </header>
      <ul class="tray-files">
        {heaps.slice(0, SHOWN).map((heap) => (
          <TrayHeap key={heap.key} heap={heap} />
        ))}
        {heaps.length > SHOWN && <li class="tray-more quiet">{t.andMore(heaps.length - SHOWN)}</li>}
      </ul>
      <div class="tray-wishes">
        <To />
        <Keep />
      </div>
    </section>
  );
}

function TrayHeap({ heap }: { heap: Heap<Staged> }) {
  const t = words.value.composer;
  const { locale } = words.value;
  const [first] = heap.files;
  if (!first) return null;
  const folder = heap.kind === "folder";
  const size = heap.files.reduce((sum, { file }) => sum + file.size, 0);
  return (
    <li class="staged" data-testid="staged" data-name={heap.name}>
      <Thumb
        preview={folder ? undefined : first.preview}
        kind={folder ? "folder" : kindOf(first.file.name, first.file.type).name}
      />
      <span class="staged-words">
        <span class="staged-name">{heap.name}</span>
        <span class="quiet">
          {folder ? `${words.value.files(heap.files.length)} · ` : ""}
          {bytes(size, locale)}
        </span>
      </span>
      <IconButton
        node={X}
        label={t.remove(heap.name)}
        testId="remove"
        onClick={() => {
          for (const { id } of heap.files) removeFromTray(id);
        }}
      />
    </li>
  );
}

function Keep() {
  const t = words.value.composer;
  const keeps = services.value?.keeps;
  if (!keeps) return null;
  return (
    <Switch on={keep} testId="keep">
      <span>{t.keep}</span>
      <span class="quiet">{sealed.value ? t.keepSealed(keeps) : t.keepHelp(keeps)}</span>
    </Switch>
  );
}
