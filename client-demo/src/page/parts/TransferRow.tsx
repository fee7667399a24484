/** One file of an offer: how it stands, what may be done, and who gets it. */
import { useRef } from "preact/hooks";
import { size } from "../format";
import { act, supply } from "../store/store";
import type { Action, ReceiverView, TransferView } from "../store/views";
import { Bar } from "./Bar";
import { Player } from "./Player";

const LABELS: Record<Action, string> = {
  play: "Play",
  accept: "Accept",
  download: "Download in browser",
  reject: "Reject",
  pause: "Pause",
  resume: "Resume",
  cancel: "Cancel",
  delete: "Delete",
  save: "Save",
  forget: "Remove from browser",
  supply: "Choose the file again",
};

export function TransferRow({ transfer }: { transfer: TransferView }) {
  const { name, path, progress, words, tone, copy, error, actions, receivers, moving } = transfer;
  return (
    <div class="transfer" data-testid="transfer" data-name={name} data-tone={tone}>
      <div class="row">
        <div class="grow">
          <p class="file wrap" data-testid="file-name">
            {path && <span class="quiet">{path}/</span>}
            {name}
          </p>
          <p class="quiet">
            {transfer.live ? "live" : size(progress.size)} <span aria-hidden="true">·</span>{" "}
            <span class={tone} data-testid="transfer-words">
              {words}
            </span>
            {copy && (
              <>
                {" "}
                <span aria-hidden="true">·</span>{" "}
                <span class={copy.tone} data-testid="copy-words">
                  {copy.words}
                </span>
              </>
            )}
          </p>
        </div>
        <div class="buttons">
          {actions.map((action) => (
            <ActionButton key={action} action={action} transfer={transfer} />
          ))}
        </div>
      </div>
      {moving && <Bar progress={progress} tone={tone} label={`${name}: ${words}`} testId="progress" />}
      <Player transfer={transfer} />
      {error && (
        <p class="bad wrap" role="alert" data-testid="transfer-error">
          {error}
        </p>
      )}
      {copy?.error && (
        <p class="bad wrap" role="status" data-testid="copy-error">
          {copy.error}
        </p>
      )}
      {receivers.length > 0 && (
        <ul class="receivers" aria-label={`Receivers of ${name}`}>
          {receivers.map((receiver) => (
            <Receiver key={receiver.member} receiver={receiver} />
          ))}
        </ul>
      )}
    </div>
  );
}

function ActionButton({ action, transfer }: { action: Action; transfer: TransferView }) {
  const chooser = useRef<HTMLInputElement>(null);
  const click = () => (action === "supply" ? chooser.current?.click() : void act(transfer.id, action));
  return (
    <>
      <button
        class={`button small ${action === "accept" || action === "supply" ? "primary" : ""}`}
        type="button"
        data-testid={action}
        aria-label={`${LABELS[action]}: ${transfer.name}`}
        onClick={click}
      >
        {LABELS[action]}
      </button>
      {action === "supply" && (
        <input
          ref={chooser}
          data-testid="supply-files"
          class="unseen"
          type="file"
          multiple
          tabIndex={-1}
          aria-label={`The file again: ${transfer.name}`}
          onChange={(event) => void supply([...(event.currentTarget.files ?? [])])}
        />
      )}
    </>
  );
}

function Receiver({ receiver }: { receiver: ReceiverView }) {
  const { name, words, tone, flows } = receiver;
  return (
    <li class="receiver" data-testid="receiver" data-name={name} data-tone={tone}>
      <span class="wrap">
        {name}: <span class={tone}>{words}</span>
      </span>
      {flows && (
        <Bar progress={receiver} tone={tone} label={`${name}: ${words}`} testId="receiver-progress" />
      )}
    </li>
  );
}
