/** How far, how fast, how much longer. */
import type { Progress } from "../../sdk";
import { bytes, percent, speed, timeLeft } from "../format";
import type { Tone } from "../store/views";

interface BarProps {
  progress: Progress;
  tone: Tone;
  label: string;
  testId: string;
}

export function Bar({ progress, tone, label, testId }: BarProps) {
  const { done, size, bytesPerSecond, secondsLeft } = progress;
  const known = size !== null;
  return (
    <div class="bar" data-testid={testId} data-done={done} data-speed={bytesPerSecond}>
      {/* Without a value, a bar says that something goes on, but not how far. */}
      <progress
        class={tone}
        aria-label={label}
        {...(known ? { value: size === 0 ? 1 : done / size, max: 1 } : {})}
      />
      <p class="quiet figures">
        <span>
          {known ? `${percent(done, size)} %` : ""} {bytes(done)}
        </span>
        {bytesPerSecond > 0 && (
          <span>
            {speed(bytesPerSecond)} {timeLeft(secondsLeft)}
          </span>
        )}
      </p>
    </div>
  );
}
