/** What stands for a person: an emoji, or initials on a colour of their own. The name is always said beside it. */
import type { Face } from "../../hands/self";

interface AvatarProps {
  face: Face;
  size?: "small" | "medium" | "large";
  online?: boolean;
}

export function Avatar({ face, size = "medium", online = true }: AvatarProps) {
  return (
    <span
      class={`avatar ${size} ${online ? "" : "away"}`}
      style={{ "--hue": String(face.hue) }}
      aria-hidden="true"
    >
      {face.avatar ? <span class="emoji">{face.avatar}</span> : face.initials}
    </span>
  );
}
