/** A part that is loaded when it is first shown, so that the first load stays small. */
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { tell } from "../../store/problems";
import { words } from "../../words";

export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  const loaded = signal<ComponentType<Props> | undefined>(undefined);
  return function Later(props: Props) {
    useEffect(() => {
      if (loaded.value) return;
      load().then(
        (part) => {
          loaded.value = part;
        },
        () => tell(words.value.problems.part),
      );
    }, []);
    const Part = loaded.value;
    return Part ? <Part {...props} /> : null;
  };
}
