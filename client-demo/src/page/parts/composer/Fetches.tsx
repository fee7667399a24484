/** What the server downloads for this member, and how each goes. */
import { X } from "lucide";
import { endFetch } from "../../store/offering";
import { sentence } from "../../store/problems";
import { fetches } from "../../store/timeline";
import type { FetchView } from "../../store/views";
import { words } from "../../words";
import { Bar } from "../basics/Bar";
import { IconButton } from "../basics/IconButton";

export function Fetches() {
  if (fetches.value.length === 0) return null;
  return (
    <ul class="fetches" aria-label={words.value.links.list} data-testid="fetches">
      {fetches.value.map((fetch) => (
        <li key={fetch.id}>
          <FetchRow fetch={fetch} />
        </li>
      ))}
    </ul>
  );
}

function FetchRow({ fetch: { id, name, progress, stage, tone, error, ended } }: { fetch: FetchView }) {
  const t = words.value.links;
  return (
    <div class="fetch" data-testid="fetch-row" data-name={name} data-tone={tone}>
      <div class="fetch-top">
        <p class="grow wrap">
          <span class="file-name">{name}</span>{" "}
          <span class={`quiet ${tone}`} data-testid="fetch-words">
            {t.stages[stage]}
          </span>
        </p>
        <IconButton
          node={X}
          label={ended ? t.remove : t.stop}
          of={name}
          testId="fetch-end"
          onClick={() => void endFetch(id)}
        />
      </div>
      {!ended && <Bar progress={progress} tone={tone} label={name} testId="fetch-progress" />}
      {error && (
        <p class="bad wrap" role="alert" data-testid="fetch-error">
          {sentence(error)}
        </p>
      )}
    </div>
  );
}
