/** Links that the server downloads and offers to the room. */
import { useSignal } from "@preact/signals";
import { fetchLinks } from "../../store/offering";
import { words } from "../../words";
import { Dialog } from "../basics/Dialog";
import { Switch } from "../basics/Switch";

export function LinksDialog({ onClose }: { onClose: () => void }) {
  const text = useSignal("");
  const keep = useSignal(false);
  const t = words.value.links;
  const submit = async (event: Event) => {
    event.preventDefault();
    const links = text.value.split(/\s+/).filter((link) => link !== "");
    if (links.length > 0 && (await fetchLinks(links, keep.value))) onClose();
  };
  return (
    <Dialog title={t.title} testId="links-dialog" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p class="quiet">{t.help}</p>
        <label class="field">
          <span>{t.label}</span>
          <textarea
            class="input"
            data-testid="links"
            rows={3}
            spellcheck={false}
            value={text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
            }}
          />
        </label>
        <Switch on={keep} testId="fetch-keep">
          {words.value.composer.keep}
        </Switch>
        <button class="button primary" type="submit" data-testid="fetch">
          {t.start}
        </button>
      </form>
    </Dialog>
  );
}
