/** One message. What it says is text and nothing else, whoever wrote it. */
import { Lock } from "lucide";
import type { Message } from "../../../sdk";
import { faceOf } from "../../hands/self";
import { nameOf } from "../../store/here";
import { words } from "../../words";
import { Avatar } from "../basics/Avatar";
import { Icon } from "../basics/Icon";

interface MessageItemProps {
  message: Message;
  mine: boolean;
  /** Whether it stands right below another of the same person. */
  follows: boolean;
}

export function MessageItem({ message, mine, follows }: MessageItemProps) {
  const { at, from, fromName, text, seal } = message;
  const { timeline, seal: sealWords, you } = words.value;
  const face = faceOf(fromName, from);
  return (
    <article class={`message ${mine ? "mine" : ""}`} data-testid="message">
      {!mine && (follows ? <span class="avatar-place" /> : <Avatar face={face} />)}
      <div class="message-body">
        {!follows && (
          <p class="who">
            <span class="who-name">{mine ? you : nameOf(from, fromName)}</span>{" "}
            <time dateTime={new Date(at).toISOString()}>{timeline.at(at)}</time>
          </p>
        )}
        {seal === "locked" ? (
          <p class="bubble locked-text">
            <Icon node={Lock} size={15} /> {sealWords.lockedMessage}
          </p>
        ) : (
          <p class="bubble wrap">{text}</p>
        )}
      </div>
    </article>
  );
}
