/** The word mark: the name, and the drop that falls into a room; the same sign as the icon's. */
export function Mark() {
  return (
    <span class="mark">
      <svg class="mark-sign" viewBox="0 0 512 512" width="30" height="30" aria-hidden="true">
        <rect class="mark-ground" width="512" height="512" rx="140" />
        <path class="mark-line" d="M150 184a150 150 0 1 0 212 0" />
        <path class="mark-drop" d="M256 76c30 54 56 94 56 134a56 56 0 0 1-112 0c0-40 26-80 56-134z" />
      </svg>
      <span class="mark-word">roomdrop</span>
    </span>
  );
}
