/** A button that is a drawing, with its words for whoever points at it or listens. */
import type { IconNode } from "lucide";
import { Icon } from "./Icon";

interface IconButtonProps {
  node: IconNode;
  label: string;
  /** What it acts on, for those who listen: `Pause: film.mp4`. */
  of?: string;
  testId?: string;
  tone?: "plain" | "accent" | "bad";
  disabled?: boolean;
  onClick: () => void;
}

export function IconButton({
  node,
  label,
  of,
  testId,
  tone = "plain",
  disabled = false,
  onClick,
}: IconButtonProps) {
  return (
    <button
      class={`icon-button ${tone}`}
      type="button"
      data-testid={testId}
      title={label}
      aria-label={of ? `${label}: ${of}` : label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon node={node} />
    </button>
  );
}
