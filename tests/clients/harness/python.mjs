// The Python that has python-socketio. Without it the tests that need it fail: nothing is skipped silently.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The path of that Python. */
export function pythonWithSocketio() {
  const path =
    process.env.ROOMDROP_PYTHON ?? fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url));
  if (existsSync(path)) return path;
  throw new Error(`there is no Python with python-socketio at ${path}: \`make test\` installs it`);
}

/** The entries of the ZIP at `path`, as Python's own `zipfile` reads it: `{name, digest, date, isStored}`. */
export async function zipEntries(path) {
  const script = fileURLToPath(new URL('../python/read_zip.py', import.meta.url));
  const env = { ...process.env, PYTHONIOENCODING: 'utf-8' };
  const { stdout } = await run(pythonWithSocketio(), [script, path], { env });
  return JSON.parse(stdout);
}
