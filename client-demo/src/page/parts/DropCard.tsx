/** One offer: who made it, its files, and the answer to all of them at once. */
import { clock } from "../format";
import { actOnDrop } from "../store/store";
import type { DropView } from "../store/views";
import { TransferRow } from "./TransferRow";

export function DropCard({ drop }: { drop: DropView }) {
  return (
    <article class="card stack" data-testid="drop" aria-label={`Offer of ${drop.fromName}`}>
      <header class="row">
        <p class="grow">
          <strong class="wrap">{drop.mine ? "You" : drop.fromName}</strong>{" "}
          <span class="quiet">
            offered {drop.transfers.length === 1 ? "a file" : `${drop.transfers.length} files`} at{" "}
            {clock(drop.at)}
          </span>
        </p>
        {drop.actions.map((action) => (
          <button
            key={action}
            class={`button small ${action === "accept" ? "primary" : ""}`}
            type="button"
            data-testid={`${action}-all`}
            onClick={() => void actOnDrop(drop.id, action)}
          >
            {action === "accept" ? "Accept all" : "Reject all"}
          </button>
        ))}
      </header>
      {drop.note && <p class="note wrap">{drop.note}</p>}
      <ul class="transfers">
        {drop.transfers.map((transfer) => (
          <li key={transfer.id}>
            <TransferRow transfer={transfer} />
          </li>
        ))}
      </ul>
    </article>
  );
}
