/** Where files are dropped, or chosen, and for whom. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Offerable } from "../../sdk";
import { droppedFiles } from "../store/files";
import { canGoLive, ending } from "../store/live";
import { goLive, me, members, offer, type Wishes } from "../store/store";
import { KeepCopy } from "./KeepCopy";

export function DropZone() {
  const over = useSignal(false);
  const note = useSignal("");
  const to = useSignal("");
  const keep = useSignal(false);
  const chooser = useRef<HTMLInputElement>(null);
  const wishes = (): Wishes => ({
    note: note.value.trim(),
    to: to.value ? [to.value] : [],
    keep: keep.value,
  });
  const give = async (files: readonly Offerable[]) => {
    await offer(files, wishes());
    note.value = "";
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    over.value = false;
    if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(give);
  };
  const others = members.value.filter(({ id }) => id !== me.value);
  return (
    <section
      class={`card stack zone ${over.value ? "over" : ""}`}
      aria-label="Offer files"
      data-testid="drop-zone"
      onDragOver={(event) => {
        event.preventDefault();
        over.value = true;
      }}
      onDragLeave={() => {
        over.value = false;
      }}
      onDrop={dropped}
    >
      <p class="zone-words">Drop files here, or</p>
      <button class="button primary" type="button" onClick={() => chooser.current?.click()}>
        Choose files
      </button>
      {canGoLive() && (
        <button
          class={`button ${ending.value ? "live" : ""}`}
          type="button"
          data-testid="go-live"
          onClick={() => {
            if (ending.value) ending.value();
            else void goLive(wishes());
          }}
        >
          {ending.value ? "End the live sound" : "Go live with the microphone"}
        </button>
      )}
      <input
        ref={chooser}
        data-testid="choose-files"
        class="unseen"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Files to offer"
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = "";
          void give(files);
        }}
      />
      <div class="row wide">
        <label class="field grow">
          <span>Note</span>
          <input
            data-testid="note"
            type="text"
            autocomplete="off"
            maxLength={500}
            value={note.value}
            onInput={(event) => {
              note.value = event.currentTarget.value;
            }}
          />
        </label>
        <label class="field">
          <span>For</span>
          <select
            data-testid="offer-to"
            value={to.value}
            onChange={(event) => {
              to.value = event.currentTarget.value;
            }}
          >
            <option value="">everyone</option>
            {others.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <KeepCopy keep={keep} testId="keep">
        Keep a copy on the server, for those who come later
      </KeepCopy>
    </section>
  );
}
