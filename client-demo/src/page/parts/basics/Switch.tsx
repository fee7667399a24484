/** Something that is on or off, and works at once. */
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

interface SwitchProps {
  on: Signal<boolean>;
  testId: string;
  children: ComponentChildren;
}

export function Switch({ on, testId, children }: SwitchProps) {
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        data-testid={testId}
        checked={on.value}
        aria-checked={on.value}
        onChange={(event) => {
          on.value = event.currentTarget.checked;
        }}
      />
      <span class="switch-words">{children}</span>
    </label>
  );
}
