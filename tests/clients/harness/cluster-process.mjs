// A program that a test starts, kills and starts again with the same arguments: Redis, nginx, HAProxy.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from './wait.mjs';

const RUNNING = new Set();
process.once('exit', () => RUNNING.forEach((child) => killAll(child)));

export class Program {
  /** What it has written. */
  said = '';
  #command;
  #child;
  #ended;

  /** `args` gets the folder that it may use, which is gone after `stop`. */
  constructor(command, args) {
    this.folder = mkdtempSync(join(tmpdir(), 'roomdrop-cluster-'));
    this.#command = [command, args(this.folder)];
  }

  /** Starts it; `isReady` is asked until it says so. */
  async start(isReady) {
    const child = spawn(...this.#command, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // A group of its own: nginx has workers.
    });
    this.#child = child;
    RUNNING.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.said += text));
    }
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(String(error)));
      child.once('close', (code, signal) => resolve(signal ?? code));
    }).finally(() => RUNNING.delete(child));
    const early = this.#ended.then((why) => {
      throw new Error(`${this.#command[0]} ended (${why}):\n${this.said.slice(-2000)}`);
    });
    early.catch(() => {});
    await Promise.race([early, isReady()]);
  }

  /** Its process id. */
  get pid() {
    return this.#child.pid;
  }

  /** Ends it by a signal, and waits for it. */
  async end(signal) {
    if (signal === 'SIGKILL') killAll(this.#child);
    else this.#child?.kill(signal);
    await within(this.#ended ?? Promise.resolve(), `the end of ${this.#command[0]} after ${signal}`);
  }

  /** Ends it for good. */
  async stop() {
    await this.end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** kill -9 of a program and all that it has started. */
function killAll(child) {
  if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
