/** The front page: make a room, or enter one by its code. */
import { useSignal } from "@preact/signals";
import { randomRoomId, roomIdIn } from "../roomId";
import { goToRoom } from "../store/store";
import { NameField } from "./NameField";

export function FrontPage() {
  return (
    <main class="front">
      <header class="hero">
        <h1>roomdrop</h1>
        <p>Meet in a room, drop files, and everyone who accepts gets them live.</p>
      </header>
      <NameField />
      <MakeRoom />
      <EnterRoom />
    </main>
  );
}

function MakeRoom() {
  const passphrase = useSignal("");
  const submit = (event: Event) => {
    event.preventDefault();
    goToRoom(randomRoomId(), passphrase.value);
  };
  return (
    <form class="card stack" onSubmit={submit} aria-labelledby="make-title">
      <h2 id="make-title">Make a room</h2>
      <p class="quiet">You get an address to share. Whoever has it can come in.</p>
      <details>
        <summary>Ask for a passphrase too</summary>
        <label class="field">
          <span>Passphrase</span>
          <input
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
      <button class="button primary" type="submit" data-testid="make-room">
        Make a room
      </button>
    </form>
  );
}

function EnterRoom() {
  const code = useSignal("");
  const wrong = useSignal(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const id = roomIdIn(code.value);
    wrong.value = id === undefined;
    if (id) goToRoom(id);
  };
  return (
    <form class="card stack" onSubmit={submit} aria-labelledby="enter-title">
      <h2 id="enter-title">Enter a room</h2>
      <label class="field">
        <span>Code or address of the room</span>
        <input
          data-testid="room-code"
          type="text"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="calm-otter-4217"
          value={code.value}
          aria-invalid={wrong.value}
          aria-describedby="code-help"
          onInput={(event) => {
            code.value = event.currentTarget.value;
          }}
        />
      </label>
      <p id="code-help" class={wrong.value ? "bad" : "quiet"} role={wrong.value ? "alert" : undefined}>
        {wrong.value ? "That can't be a room: it is up" : "Up"} to 64 letters, digits, hyphens and
        underscores.
      </p>
      <button class="button" type="submit" data-testid="enter-room">
        Enter
      </button>
    </form>
  );
}
