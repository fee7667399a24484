// python-socketio, by tests in its own language: each of them is a test here too.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pythonWithSocketio } from './harness/python.mjs';
import { startServer } from './harness/server.mjs';

const run = promisify(execFile);

let server;
before(async () => {
  server = await startServer();
});
after(async () => {
  await server?.stop();
});

test('python-socketio sends and receives', async () => {
  const python = pythonWithSocketio();
  const cwd = fileURLToPath(new URL('python/', import.meta.url));
  const env = { ...process.env, ROOMDROP_URL: (server.urls ?? [server.url]).join(), PYTHONDONTWRITEBYTECODE: '1' };
  const tests = ['-W', 'error::ResourceWarning', '-m', 'unittest', '--verbose', 'test_python_socketio'];
  const { stderr } = await run(python, tests, { cwd, env }).catch((error) => {
    throw new Error(`the tests in Python failed:\n${error.stdout}\n${error.stderr}`);
  });
  const passed = stderr.match(/ \.\.\. ok$/gm)?.length ?? 0;
  assert.ok(passed >= 5, `only ${passed} tests ran:\n${stderr}`);
});
