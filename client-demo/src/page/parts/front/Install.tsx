/** Installs the page as an app, where the browser offers to. */

import { install, installable } from "../../store/install";
import { words } from "../../words";

export function Install() {
  if (!installable.value) return null;
  return (
    <button class="button small" type="button" data-testid="install" onClick={install}>
      {words.value.settings.install}
    </button>
  );
}
