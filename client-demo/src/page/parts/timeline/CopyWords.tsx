/** What became of the copy on the server. */
import type { Copy } from "../../../sdk";
import { sentence } from "../../store/problems";
import { words } from "../../words";

const TONES = { storing: "busy", stored: "good", failed: "bad" } as const;

export function CopyWords({ copy }: { copy: Copy }) {
  return (
    <span class={TONES[copy.state]} data-testid="copy-words">
      {said(copy)}
    </span>
  );
}

export function CopyError({ copy }: { copy: Copy }) {
  if (copy.state !== "failed") return null;
  return (
    <p class="bad wrap" role="status" data-testid="copy-error">
      {sentence(copy.error)}
    </p>
  );
}

function said(copy: Copy): string {
  const { file } = words.value;
  switch (copy.state) {
    case "storing":
      return file.copyStoring;
    case "stored":
      return copy.until === null ? file.copyStored : file.copyUntil(copy.until, Date.now());
    case "failed":
      return file.copyFailed;
  }
}
