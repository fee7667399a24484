/** Whether the server is to keep a copy of what is offered. */
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

interface KeepCopyProps {
  keep: Signal<boolean>;
  testId: string;
  children: ComponentChildren;
}

export function KeepCopy({ keep, testId, children }: KeepCopyProps) {
  return (
    <label class="wide">
      <input
        type="checkbox"
        data-testid={testId}
        checked={keep.value}
        onChange={(event) => {
          keep.value = event.currentTarget.checked;
        }}
      />{" "}
      {children}
    </label>
  );
}
