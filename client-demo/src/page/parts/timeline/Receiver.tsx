/** One who gets it: how far, and whether all of it is there. What was sent, and is not there yet, stands paler. */
import { CircleCheck } from "lucide";
import type { ReceiverTotal, ReceiverView } from "../../store/views";
import { words } from "../../words";
import { Bar } from "../basics/Bar";
import { Icon } from "../basics/Icon";

export function Receiver({ receiver, sent }: { receiver: ReceiverView; sent: number }) {
  const { name, stage, tone, flows } = receiver;
  const t = words.value.file;
  return (
    <li class="receiver" data-testid="receiver" data-name={name} data-tone={tone}>
      <Line name={name} tone={tone} said={t.receiverStages[stage]} />
      {flows && (
        <Bar
          progress={receiver}
          sent={sent}
          tone={tone}
          label={`${name}: ${t.receiverStages[stage]}`}
          testId="receiver-progress"
        />
      )}
    </li>
  );
}

/** The same, of all files of a drop. */
export function ReceiverOfAll({ receiver, sent }: { receiver: ReceiverTotal; sent: number }) {
  const { name, stage, tone, files, finished } = receiver;
  const { file, drop } = words.value;
  const done = finished === files && tone === "good";
  return (
    <li class="receiver" data-testid="receiver" data-name={name} data-tone={tone}>
      <Line
        name={name}
        tone={tone}
        said={
          done ? file.receiverStages.complete : `${file.receiverStages[stage]}, ${drop.of(finished, files)}`
        }
      />
      {(tone === "busy" || tone === "held") && (
        <Bar progress={receiver} sent={sent} tone={tone} label={name} testId="receiver-progress" />
      )}
    </li>
  );
}

function Line({ name, tone, said }: { name: string; tone: string; said: string }) {
  return (
    <p class="receiver-line">
      <span class="wrap">{name}</span>
      <span class={`receiver-state ${tone}`}>
        {tone === "good" && <Icon node={CircleCheck} size={15} />}
        {said}
      </span>
    </p>
  );
}
