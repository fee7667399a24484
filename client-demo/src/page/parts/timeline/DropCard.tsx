/** One offer: who made it and what is in it, the answer to it, and how it goes as a whole. */
import type { ReadonlySignal } from "@preact/signals";
import { CloudUpload } from "lucide";
import { faceOf } from "../../hands/self";
import { nameOf } from "../../store/here";
import type { DropView } from "../../store/views";
import { words } from "../../words";
import { Avatar } from "../basics/Avatar";
import { Icon } from "../basics/Icon";
import { FileRow } from "./FileRow";
import { ManyFiles } from "./ManyFiles";

export function DropCard({ drop }: { drop: ReadonlySignal<DropView> }) {
  const { id, from, fromName, mine, at, note, ids, keep, seal, tone, stage } = drop.value;
  const t = words.value;
  const name = mine ? t.you : nameOf(from, fromName);
  const [only] = ids;
  return (
    <article
      class={`drop ${mine ? "mine" : "theirs"} stage-${stage}`}
      data-testid="drop"
      data-stage={stage}
      data-tone={tone}
      aria-label={mine ? t.drop.yourOffer : t.drop.offerOf(name)}
    >
      {!mine && <Avatar face={faceOf(fromName, from)} />}
      <div class="drop-body">
        <p class="who">
          <span class="who-name">{name}</span>{" "}
          <time dateTime={new Date(at).toISOString()}>{t.timeline.at(at)}</time>
          {keep && (
            <span class="who-mark" title={t.composer.keep}>
              <Icon node={CloudUpload} size={14} />
            </span>
          )}
        </p>
        {/* Progress is not read out at each step; what matters is announced. */}
        <div class="card" aria-live="off">
          {note && seal !== "locked" && (
            <p class="note wrap" data-testid="drop-note">
              {note}
            </p>
          )}
          {ids.length === 1 && only ? (
            <ul class="files">
              <li>
                <FileRow id={only} alone={{ drop: id, from }} />
              </li>
            </ul>
          ) : (
            <ManyFiles drop={drop} />
          )}
        </div>
      </div>
    </article>
  );
}
