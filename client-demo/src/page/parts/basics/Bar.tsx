/** How far, how fast, how much longer. What is sent, and not yet with its receivers, stands paler behind. */
import type { Progress } from "../../../sdk";
import { bytes, percent, speed } from "../../format";
import type { Tone } from "../../store/stages";
import { words } from "../../words";

interface BarProps {
  progress: Progress;
  tone: Tone;
  label: string;
  testId: string;
  /** Bytes that have left, of which `progress` is what has arrived. */
  sent?: number | undefined;
}

export function Bar({ progress, tone, label, testId, sent }: BarProps) {
  const { done, size, bytesPerSecond, secondsLeft } = progress;
  const { locale, file } = words.value;
  const part = size === null ? undefined : size === 0 ? 1 : done / size;
  const ahead = size && sent ? sent / size : 0;
  return (
    <div class={`bar ${tone}`} data-testid={testId} data-done={done} data-speed={bytesPerSecond}>
      <div
        class={`track ${part === undefined ? "unknown" : ""}`}
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(part === undefined ? {} : { "aria-valuenow": percent(done, size) })}
      >
        {ahead > 0 && <span class="track-sent" style={{ transform: `scaleX(${ahead})` }} />}
        <span class="track-done" style={{ transform: `scaleX(${part ?? 1})` }} />
      </div>
      <p class="figures quiet">
        {part !== undefined && <span class="percent">{percent(done, size)} %</span>}
        <span>
          {bytes(done, locale)}
          {size !== null && ` / ${bytes(size, locale)}`}
        </span>
        <span class="rate">
          {bytesPerSecond > 0 && speed(bytesPerSecond, locale)}
          {bytesPerSecond > 0 && secondsLeft ? ` · ${file.left(secondsLeft)}` : ""}
        </span>
      </p>
    </div>
  );
}
