/** Entering a room by its code, or by its whole link with the secret in it. */
import { useSignal } from "@preact/signals";
import { addressIn } from "../../store/address";
import { goToRoom } from "../../store/route";
import { words } from "../../words";

export function EnterRoom() {
  const code = useSignal("");
  const wrong = useSignal(false);
  const t = words.value.front;
  const submit = (event: Event) => {
    event.preventDefault();
    const address = addressIn(code.value);
    wrong.value = address === undefined;
    if (address) goToRoom(address);
  };
  return (
    <form class="enter" onSubmit={submit} noValidate>
      <h2>{t.haveCode}</h2>
      <div class="enter-row">
        <input
          class="input"
          data-testid="room-code"
          type="text"
          aria-label={t.codeLabel}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder={t.codeExample}
          value={code.value}
          aria-invalid={wrong.value}
          aria-describedby="code-wrong"
          onInput={(event) => {
            code.value = event.currentTarget.value;
            wrong.value = false;
          }}
        />
        <button class="button" type="submit" data-testid="enter-room">
          {t.enter}
        </button>
      </div>
      <p id="code-wrong" class="bad" role="alert">
        {wrong.value ? t.wrongCode : ""}
      </p>
    </form>
  );
}
