/** What went wrong, in words, until it is dismissed; and what is read out to those who listen. */
import { CircleAlert, X } from "lucide";
import { announcement, dismiss, problems } from "../../store/problems";
import { words } from "../../words";
import { Icon } from "./Icon";
import { IconButton } from "./IconButton";

export function Problems() {
  return (
    <>
      <div class="problems" role="alert" data-testid="problems">
        {problems.value.map(({ id, words: sentence }) => (
          <div key={id} class="problem">
            <Icon node={CircleAlert} />
            <p class="wrap">{sentence}</p>
            <IconButton node={X} label={words.value.dismiss} of={sentence} onClick={() => dismiss(id)} />
          </div>
        ))}
      </div>
      <p class="unseen" role="status" aria-live="polite" data-testid="announcement">
        {announcement.value}
      </p>
    </>
  );
}
