// curl, as people have it: requests by the real program, answers with their headers and bytes.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PATIENCE } from './wait.mjs';

const run = promisify(execFile);

/** One request; `{status, headers, body}`, the headers' names in lower case. */
export async function curl(url, ...options) {
  const folder = mkdtempSync(join(tmpdir(), 'roomdrop-curl-'));
  try {
    const [headFile, bodyFile] = [join(folder, 'head'), join(folder, 'body')];
    const always = ['--silent', '--show-error', '--max-time', PATIENCE / 1000, '--dump-header', headFile];
    await run('curl', [...always, '--output', bodyFile, ...options, url].map(String));
    // Before the answer there may be another that says to go on.
    const head = readFileSync(headFile, 'latin1').trimEnd().split('\r\n\r\n').at(-1);
    const [first, ...lines] = head.split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':')[0].toLowerCase(), line.replace(/^[^:]*: */, '')]),
    );
    return { status: Number(first.split(' ')[1]), headers, body: read(bodyFile) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A download that goes on while the test does; `kill()` is what Ctrl-C does, `ended` its exit code. */
export function download(url, ...options) {
  const child = spawn('curl', ['--silent', '--show-error', ...options.map(String), url], {
    stdio: 'inherit',
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return { kill: () => child.kill('SIGINT'), ended };
}

function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}
