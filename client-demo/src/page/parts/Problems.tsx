/** What went wrong, in words, until it is dismissed. */
import { dismiss, problems } from "../store/store";

export function Problems() {
  return (
    <div class="problems" role="alert" data-testid="problems">
      {problems.value.map(({ id, words }) => (
        <div key={id} class="problem">
          <span>{words}</span>
          <button
            class="button small"
            type="button"
            onClick={() => dismiss(id)}
            aria-label={`Dismiss: ${words}`}
          >
            Dismiss
          </button>
        </div>
      ))}
    </div>
  );
}
