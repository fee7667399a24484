/** Links that the server downloads: where they are pasted, and how each goes. */
import { useSignal } from "@preact/signals";
import { endFetch, fetches, fetchLinks } from "../store/store";
import type { FetchView } from "../store/views";
import { Bar } from "./Bar";
import { KeepCopy } from "./KeepCopy";

export function Fetches() {
  const text = useSignal("");
  const keep = useSignal(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    const links = text.value.split(/\s+/).filter((link) => link !== "");
    if (links.length > 0 && (await fetchLinks(links, keep.value))) text.value = "";
  };
  return (
    <details class="card stack" data-testid="fetches" open={fetches.value.length > 0}>
      <summary>Offer links: the server downloads them</summary>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>Links, with spaces or new lines between</span>
          <textarea
            data-testid="links"
            rows={2}
            spellcheck={false}
            value={text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
            }}
          />
        </label>
        <div class="row wide">
          <KeepCopy keep={keep} testId="fetch-keep">
            Keep a copy on the server
          </KeepCopy>
          <button class="button" type="submit" data-testid="fetch">
            Download
          </button>
        </div>
      </form>
      {fetches.value.length > 0 && (
        <ul class="drops stack" aria-label="Links">
          {fetches.value.map((fetch) => (
            <li key={fetch.id}>
              <FetchRow fetch={fetch} />
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}

function FetchRow({ fetch }: { fetch: FetchView }) {
  const { id, name, progress, words, tone, error, ended } = fetch;
  return (
    <div class="transfer" data-testid="fetch-row" data-name={name} data-tone={tone}>
      <div class="row">
        <div class="grow">
          <p class="file wrap">{name}</p>
          <p class="quiet">
            <span class={tone} data-testid="fetch-words">
              {words}
            </span>
          </p>
        </div>
        <button
          class="button small"
          type="button"
          data-testid="fetch-end"
          aria-label={`${ended ? "Remove" : "Stop"}: ${name}`}
          onClick={() => void endFetch(id)}
        >
          {ended ? "Remove" : "Stop"}
        </button>
      </div>
      {!ended && <Bar progress={progress} tone={tone} label={`${name}: ${words}`} testId="fetch-progress" />}
      {error && (
        <p class="bad wrap" role="alert" data-testid="fetch-error">
          {error}
        </p>
      )}
    </div>
  );
}
