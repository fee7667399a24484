// The real program, one for each test file: started on a free port of the loopback, stopped by SIGTERM and
// awaited. What it writes is kept, since some tests look for what must not be in it.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { within } from './wait.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Starts the server with `settings` (environment names without `ROOMDROP_`), and has it stopped `after` the tests. */
export async function startServer(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'roomdrop-clients-'));
  const environment = { ...process.env, ROOMDROP_SERVER__DRAIN_TIMEOUT: '0s' };
  for (const [key, value] of Object.entries(settings)) environment[`ROOMDROP_${key}`] = value;
  const child = spawn(program(), ['--listen', '127.0.0.1:0'], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const server = new Server(child, folder);
  process.once('exit', () => child.kill('SIGKILL'));
  await server.ready();
  return server;
}

class Server {
  #child;
  #folder;
  #output = '';
  #ended;

  constructor(child, folder) {
    this.#child = child;
    this.#folder = folder;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.#output += text));
    }
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(String(error)));
      child.once('close', (code, signal) => resolve(signal ?? code));
    });
  }

  /** All that it has written to its output and its error output. */
  get log() {
    return this.#output;
  }

  /** Its process id. */
  get pid() {
    return this.#child.pid;
  }

  async ready() {
    const address = new Promise((resolve) => {
      this.#child.stdout.on('data', () => {
        const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(this.#output);
        if (found) resolve(Number(found[1]));
      });
    });
    const early = this.#ended.then((why) => {
      throw new Error(`the server ended (${why}) before it was ready:\n${this.#output}`);
    });
    early.catch(() => {});
    this.port = await within(
      Promise.race([address, early]),
      () => `the server's address in:\n${this.#output}`,
    );
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** Ends it as an operator does, and waits for it. */
  async stop() {
    this.#child.kill('SIGTERM');
    try {
      await within(
        this.#ended,
        () => `the server's end after SIGTERM; it wrote:\n${this.#output.slice(-2000)}`,
      );
    } finally {
      this.#child.kill('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}

function program() {
  const named = process.env.ROOMDROP_BIN;
  if (named) return named;
  for (const profile of ['release', 'debug']) {
    const path = join(ROOT, 'target', profile, 'roomdrop');
    if (existsSync(path)) return path;
  }
  throw new Error('there is no server to test: `make test` builds it, or name one in ROOMDROP_BIN');
}
