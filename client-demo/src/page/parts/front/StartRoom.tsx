/** A fresh room in one click; with a passphrase, if one is wanted. */
import { useSignal } from "@preact/signals";
import { ArrowRight } from "lucide";
import { canSeal } from "../../../sdk";
import { startRoom } from "../../store/route";
import { words } from "../../words";
import { Icon } from "../basics/Icon";

export function StartRoom() {
  const passphrase = useSignal("");
  const t = words.value.front;
  const submit = (event: Event) => {
    event.preventDefault();
    startRoom(passphrase.value);
  };
  return (
    <form class="start" onSubmit={submit}>
      <button class="button primary large" type="submit" data-testid="make-room">
        <span>{t.start}</span>
        <Icon node={ArrowRight} />
      </button>
      <p class="quiet">{canSeal() ? t.startHelp : t.noSeal}</p>
      <details class="disclosure">
        <summary>{t.addPassphrase}</summary>
        <label class="field">
          <span>{t.passphrase}</span>
          <input
            class="input"
            data-testid="make-passphrase"
            type="text"
            autocomplete="off"
            maxLength={1024}
            value={passphrase.value}
            onInput={(event) => {
              passphrase.value = event.currentTarget.value;
            }}
          />
        </label>
      </details>
    </form>
  );
}
