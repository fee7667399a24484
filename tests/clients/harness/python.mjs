// The Python that has python-socketio. Without it the tests that need it fail: nothing is skipped silently.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of that Python. */
export function pythonWithSocketio() {
  const path =
    process.env.ROOMDROP_PYTHON ?? fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url));
  if (existsSync(path)) return path;
  throw new Error(`there is no Python with python-socketio at ${path}: \`make test\` installs it`);
}
