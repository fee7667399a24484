/** Asks for the whole link of the room one is in, for the secret in it. */
import { useSignal } from "@preact/signals";
import { secretPasted } from "../../store/address";
import { unlock } from "../../store/route";
import { words } from "../../words";

export function WholeLink() {
  const text = useSignal("");
  const wrong = useSignal(false);
  const t = words.value.seal;
  const submit = (event: Event) => {
    event.preventDefault();
    const secret = secretPasted(text.value);
    wrong.value = secret === undefined;
    if (secret) unlock(secret);
  };
  return (
    <form onSubmit={submit} noValidate>
      <div class="enter-row">
        <input
          class="input"
          data-testid="whole-link"
          type="text"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-label={t.lockedField}
          placeholder={t.lockedField}
          aria-invalid={wrong.value}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            wrong.value = false;
          }}
        />
        <button class="button primary" type="submit" data-testid="unlock">
          {t.unlock}
        </button>
      </div>
      <p class="bad" role="alert">
        {wrong.value ? t.wrongKey : ""}
      </p>
    </form>
  );
}
