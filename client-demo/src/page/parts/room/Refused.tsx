/** Not let in: why, and what may be done about it. */
import { useSignal } from "@preact/signals";
import type { RoomdropError } from "../../../sdk";
import { refusal } from "../../store/here";
import { sentence } from "../../store/problems";
import { startRoom, triedPassphrase, tryAgain, tryPassphrase } from "../../store/route";
import { words } from "../../words";
import { WholeLink } from "./WholeLink";

export function Refused() {
  const error = refusal.value;
  const t = words.value.refused;
  const { title, help } = wordsFor(error, t);
  return (
    <main class="refused-page" data-testid="refused">
      <h2>{title}</h2>
      <p role="alert">{help}</p>
      {error?.code === "not_allowed" && <Passphrase />}
      {error?.code === "bad_secret" && <WholeLink />}
      <div class="refused-ways">
        {error?.code !== "not_allowed" && error?.code !== "bad_secret" && (
          <button class="button primary" type="button" data-testid="try-again" onClick={tryAgain}>
            {t.again}
          </button>
        )}
        <button class="button" type="button" data-testid="start-other" onClick={() => startRoom()}>
          {t.elsewhere}
        </button>
      </div>
    </main>
  );
}

function wordsFor(
  error: RoomdropError | undefined,
  t: typeof words.value.refused,
): { title: string; help: string } {
  switch (error?.code) {
    case "room_full":
      return { title: t.full, help: t.fullHelp };
    case "not_allowed":
      return { title: t.passphraseTitle, help: triedPassphrase() ? t.passphraseWrong : t.passphraseHelp };
    case "bad_secret":
      return { title: t.badKey, help: t.badKeyHelp };
    case "overloaded":
    case "rate_limited":
      return { title: t.busy, help: t.busyHelp };
    default:
      return { title: t.title, help: error ? sentence(error) : "" };
  }
}

function Passphrase() {
  const passphrase = useSignal("");
  const t = words.value.refused;
  const submit = (event: Event) => {
    event.preventDefault();
    tryPassphrase(passphrase.value);
  };
  return (
    <form class="enter-row" onSubmit={submit}>
      <input
        class="input"
        data-testid="passphrase"
        type="password"
        autocomplete="off"
        aria-label={t.passphrase}
        placeholder={t.passphrase}
        value={passphrase.value}
        onInput={(event) => {
          passphrase.value = event.currentTarget.value;
        }}
      />
      <button class="button primary" type="submit" data-testid="try-passphrase">
        {t.enter}
      </button>
    </form>
  );
}
