// The real program, one for each test file: started on a free port of the loopback, stopped by SIGTERM and
// awaited. What it writes is kept, since some tests look for what must not be in it.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCluster } from './cluster.mjs';
import { PATIENCE, within } from './wait.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Starts the server with `settings` (environment names without `ROOMDROP_`). With `ROOMDROP_NODES` above 1 it
 * is so many nodes in truth, and whoever asks for its address gets that of the next one each time.
 */
export async function startServer(settings = {}) {
  const nodes = Number(process.env.ROOMDROP_NODES ?? 1);
  return nodes > 1 ? (await startCluster({ nodes, settings })).asOneServer() : startNode(settings);
}

/** Starts one server. */
export async function startNode(settings = {}, { listen = '127.0.0.1:0' } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'roomdrop-clients-'));
  const environment = { ...process.env, ROOMDROP_SERVER__DRAIN_TIMEOUT: '0s' };
  for (const [key, value] of Object.entries(settings)) environment[`ROOMDROP_${key}`] = value;
  const child = spawn(program(), ['--listen', listen], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const server = new Server(child, folder);
  STARTED.add(child);
  child.once('close', () => STARTED.delete(child));
  await server.ready();
  return server;
}

const STARTED = new Set();
process.once('exit', () => STARTED.forEach((child) => child.kill('SIGKILL')));
// Otherwise a test that is told to end leaves behind what it has started.
for (const signal of ['SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

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

  /** Its memory in MiB: now, and at most since it began. */
  memory() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const [now, most] = ['VmRSS', 'VmHWM'].map((key) => Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)[1]));
    return { now: now / 1024, most: most / 1024 };
  }

  /** How many files, sockets and the like it has open. */
  descriptors() {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Ends it without a word, as a power cut does. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Tells it to end, as an operator does; its exit code, and how long it took in milliseconds. */
  async terminate(ms = PATIENCE) {
    const began = Date.now();
    this.#child.kill('SIGTERM');
    const what = () => `the server's end after SIGTERM; it wrote:\n${this.#output.slice(-2000)}`;
    const code = await within(this.#ended, what, ms);
    return { code, ms: Date.now() - began };
  }

  /** Ends it as an operator does, and waits for it. */
  async stop() {
    try {
      await this.terminate();
    } finally {
      this.#child.kill('SIGKILL');
      const logs = process.env.ROOMDROP_TEST_LOGS; // A folder, for who looks for a fault.
      if (logs) writeFileSync(join(logs, `${this.port}-${this.pid}.log`), this.#output);
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}

/** The program that is tested. */
export function program() {
  const named = process.env.ROOMDROP_BIN;
  if (named) return named;
  for (const profile of ['release', 'debug']) {
    const path = join(ROOT, 'target', profile, 'roomdrop');
    if (existsSync(path)) return path;
  }
  throw new Error('there is no server to test: `make test` builds it, or name one in ROOMDROP_BIN');
}
