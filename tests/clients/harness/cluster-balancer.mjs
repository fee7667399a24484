// Real load balancers before a cluster, by the very files in config/ that operators are given: only the nodes'
// names and addresses, the port, and the places of logs are this machine's.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './cluster-ports.mjs';
import { Program } from './cluster-process.mjs';
import { curl } from './curl.mjs';
import { until } from './wait.mjs';

const CONFIG = fileURLToPath(new URL('../../../config/', import.meta.url));
const HOSTS = ['node-a', 'node-b', 'node-c'];

/** Each of the files. */
export const BALANCERS = ['nginx.conf', 'nginx-by-node.conf', 'haproxy.cfg', 'haproxy-by-node.cfg'];

/** nginx before three `nodes`, in turn. */
export const startNginx = (nodes) => startBalancer('nginx.conf', nodes);

/** HAProxy before three `nodes`, in turn. */
export const startHaproxy = (nodes) => startBalancer('haproxy.cfg', nodes);

/** The balancer that `file` is for, before three `nodes`. */
export async function startBalancer(file, nodes) {
  const port = await freePort();
  const [name, args] = file.startsWith('nginx')
    ? ['nginx', ['-g', 'daemon off;', '-e', 'stderr', '-c']]
    : ['haproxy', ['-db', '-f']];
  const program = new Program(name, (folder) => {
    writeFileSync(join(folder, file), settled(file, { port, nodes, folder }));
    return [...args, join(folder, file)];
  });
  const balancer = new Balancer(port, program);
  await balancer.start();
  return balancer;
}

/** The text of `file` with this machine's `port` and `nodes`, and `folder` for what it writes. */
export function settled(file, { port, nodes, folder }) {
  let text = readFileSync(CONFIG + file, 'utf8');
  const put = (from, to) => {
    if (!text.includes(from)) throw new Error(`${file} does not contain "${from}"`);
    text = text.replaceAll(from, to);
  };
  for (const [index, host] of HOSTS.entries()) put(`${host}:3000`, `127.0.0.1:${nodes[index].port}`);
  for (const [index, host] of HOSTS.entries()) text = text.replaceAll(host, nodes[index].name);
  if (file.startsWith('haproxy')) {
    put('bind :80', `bind 127.0.0.1:${port}`);
    return text;
  }
  put('listen 80 ', `listen 127.0.0.1:${port} `);
  put('/var/log/nginx', folder);
  put('/run/nginx.pid', join(folder, 'nginx.pid'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  put('\nhttp {', `\nhttp {${temporary.map((kind) => ` ${kind}_temp_path ${join(folder, kind)};`).join('')}`);
  return text;
}

class Balancer {
  #program;

  constructor(port, program) {
    this.url = `http://127.0.0.1:${port}`;
    this.#program = program;
  }

  start() {
    const answers = async () => (await curl(`${this.url}/healthz`).catch(() => ({}))).status === 200;
    return this.#program.start(() => until('the balancer answers', answers, () => this.#program.said));
  }

  /** What an operator's restart does: every connection is gone, new ones are taken soon. */
  async restart() {
    await this.#program.end('SIGTERM');
    await this.start();
  }

  async stop() {
    // nginx, killed, would leave its workers behind.
    await this.#program.end('SIGTERM');
    await this.#program.stop();
  }
}
