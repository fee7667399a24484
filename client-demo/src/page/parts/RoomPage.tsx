/** A room: who is here, what is offered, what is said. */
import { useSignal } from "@preact/signals";
import { drops, leave, refusal, roomState, tryPassphrase } from "../store/store";
import { Chat } from "./Chat";
import { DropCard } from "./DropCard";
import { DropZone } from "./DropZone";
import { Fetches } from "./Fetches";
import { Members } from "./Members";
import { NameField } from "./NameField";
import { Standing } from "./Standing";

export function RoomPage({ room }: { room: string }) {
  const refused = roomState.value === "refused";
  return (
    <div class="room">
      <header class="top">
        <div class="title">
          <h1 data-testid="room-id">{room}</h1>
          <CopyAddress />
        </div>
        <div class="title">
          <Standing />
          <button class="button small" type="button" data-testid="leave" onClick={leave}>
            Leave
          </button>
        </div>
      </header>
      {refused ? (
        <Refused />
      ) : (
        <div class="columns">
          <main class="stack">
            <DropZone />
            <Fetches />
            <Drops />
          </main>
          <aside class="stack">
            <section class="card stack" aria-labelledby="members-title">
              <h2 id="members-title">In the room</h2>
              <Members />
              <NameField />
            </section>
            <Chat />
          </aside>
        </div>
      )}
    </div>
  );
}

function Drops() {
  if (drops.value.length === 0) {
    return <p class="quiet empty">Nothing was offered yet. Drop a file above, or wait for someone else's.</p>;
  }
  return (
    <ul class="drops stack" aria-label="Offers">
      {drops.value.map((drop) => (
        <li key={drop.id}>
          <DropCard drop={drop} />
        </li>
      ))}
    </ul>
  );
}

function CopyAddress() {
  const words = useSignal("Copy address");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      words.value = "Copied";
    } catch {
      words.value = "Copy it from the address bar";
    }
  };
  return (
    <button class="button small" type="button" onClick={() => void copy()} aria-live="polite">
      {words.value}
    </button>
  );
}

function Refused() {
  const passphrase = useSignal("");
  const submit = (event: Event) => {
    event.preventDefault();
    tryPassphrase(passphrase.value);
  };
  return (
    <main class="card stack refused" data-testid="refused">
      <h2>You are not let in</h2>
      <p role="alert">{refusal.value?.message}</p>
      {refusal.value?.code === "not_allowed" && (
        <form class="stack" onSubmit={submit}>
          <label class="field">
            <span>Passphrase of the room</span>
            <input
              data-testid="passphrase"
              type="password"
              autocomplete="off"
              value={passphrase.value}
              onInput={(event) => {
                passphrase.value = event.currentTarget.value;
              }}
            />
          </label>
          <button class="button primary" type="submit" data-testid="try-passphrase">
            Enter
          </button>
        </form>
      )}
    </main>
  );
}
