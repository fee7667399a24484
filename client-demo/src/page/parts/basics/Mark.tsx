/** The word mark: the name, and the drop that falls into a room. */
export function Mark() {
  return (
    <span class="mark">
      <svg class="mark-sign" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
        <rect class="mark-ground" width="32" height="32" rx="9" />
        <path class="mark-line" d="M9.4 11.5a9.4 9.4 0 1 0 13.2 0" />
        <path class="mark-drop" d="M16 4.75c1.9 3.4 3.5 5.9 3.5 8.4a3.5 3.5 0 0 1-7 0c0-2.5 1.6-5 3.5-8.4z" />
      </svg>
      <span class="mark-word">roomdrop</span>
    </span>
  );
}
