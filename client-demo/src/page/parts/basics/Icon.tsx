/** A drawing of one colour, the text's; it says nothing to a screen reader, so whatever has one has words too. */
import type { IconNode } from "lucide";
import { h } from "preact";

interface IconProps {
  node: IconNode;
  size?: number;
}

export function Icon({ node, size = 20 }: IconProps) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={1.75}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {node.map(([tag, attributes]) => h(tag, attributes))}
    </svg>
  );
}
