/** What is said in the room. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { clock } from "../format";
import { messages, say } from "../store/store";

export function Chat() {
  return (
    <section class="card stack" aria-labelledby="chat-title">
      <h2 id="chat-title">Messages</h2>
      <Messages />
      <Say />
    </section>
  );
}

function Messages() {
  const log = useRef<HTMLDivElement>(null);
  const count = messages.value.length;
  useEffect(() => {
    log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [count]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <div class="log" role="log" aria-label="Messages" data-testid="messages" tabIndex={0} ref={log}>
      {count === 0 && <p class="quiet">Nothing was said yet.</p>}
      <ol class="messages">
        {messages.value.map(({ id, at, fromName, text }) => (
          <li key={id} data-testid="message">
            <span class="quiet">
              {fromName} <time dateTime={new Date(at).toISOString()}>{clock(at)}</time>
            </span>
            <p class="wrap">{text}</p>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Say() {
  const text = useSignal("");
  const submit = async (event: Event) => {
    event.preventDefault();
    const said = text.value.trim();
    if (said && (await say(said)) && text.value.trim() === said) text.value = "";
  };
  return (
    <form class="row" onSubmit={(event) => void submit(event)}>
      <label class="field grow">
        <span class="unseen">Message</span>
        <input
          data-testid="say"
          type="text"
          autocomplete="off"
          placeholder="Say something"
          maxLength={2000}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
      </label>
      <button class="button" type="submit" data-testid="send">
        Send
      </button>
    </form>
  );
}
