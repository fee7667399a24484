// A real redis-server that saves nothing: killed and started again it is empty.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort } from './cluster-ports.mjs';
import { Program } from './cluster-process.mjs';
import { until } from './wait.mjs';

const run = promisify(execFile);

/** Starts one on a free port. */
export async function startRedis() {
  const redis = new Redis(await freePort());
  await redis.start();
  return redis;
}

class Redis {
  #program;

  constructor(port) {
    this.port = port;
    this.#program = new Program('redis-server', (folder) =>
      [
        ['--port', port, '--bind', '127.0.0.1', '--dir', folder],
        ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'local'],
      ]
        .flat()
        .map(String),
    );
  }

  /** Starts it, empty. */
  start() {
    const answers = async () => (await this.command('PING').catch(() => '')) === 'PONG';
    return this.#program.start(() => until('Redis answers', answers, () => this.#program.said));
  }

  /** What redis-cli answers. */
  async command(...words) {
    const { stdout } = await run('redis-cli', ['-p', this.port, ...words].map(String));
    return stdout.trim();
  }

  /** kill -9: everything it knew is gone. */
  kill() {
    return this.#program.end('SIGKILL');
  }

  /** Ends it for good. */
  stop() {
    return this.#program.stop();
  }
}
