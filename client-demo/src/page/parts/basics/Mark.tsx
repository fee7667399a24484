/** The word mark: the name, and the drop that falls into a room. */
export function Mark() {
  return (
    <span class="mark">
      <svg class="mark-sign" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
        <rect class="mark-ground" width="32" height="32" rx="9" />
        <path
          class="mark-line"
          d="M16 7v10m0 0-4.5-4.5M16 17l4.5-4.5M8.5 18v3.5a3 3 0 0 0 3 3h9a3 3 0 0 0 3-3V18"
        />
      </svg>
      <span class="mark-word">roomdrop</span>
    </span>
  );
}
