// Real load balancers before a cluster, told nothing of roomdrop beyond what FINDINGS asks of any: round
// robin, no stickiness, no routing by the session id's prefix.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './cluster-ports.mjs';
import { Program } from './cluster-process.mjs';
import { curl } from './curl.mjs';
import { until } from './wait.mjs';

/** nginx before `nodes`. */
export async function startNginx(nodes) {
  const port = await freePort();
  const program = new Program('nginx', (folder) => {
    writeFileSync(join(folder, 'nginx.conf'), nginxConf(port, nodes, folder));
    return ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')];
  });
  return started(new Balancer(port, program));
}

/** HAProxy before `nodes`. */
export async function startHaproxy(nodes) {
  const port = await freePort();
  const program = new Program('haproxy', (folder) => {
    writeFileSync(join(folder, 'haproxy.cfg'), haproxyCfg(port, nodes));
    return ['-db', '-f', join(folder, 'haproxy.cfg')];
  });
  return started(new Balancer(port, program));
}

async function started(balancer) {
  await balancer.start();
  return balancer;
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

  stop() {
    return this.#program.stop();
  }
}

const nginxConf = (port, nodes, folder) => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 10000; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream roomdrop {
${nodes.map((node) => `    server 127.0.0.1:${node.port} max_fails=1 fail_timeout=1s;`).join('\n')}
  }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 20m;
    location / {
      proxy_pass http://roomdrop;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 60s;
      proxy_connect_timeout 2s;
    }
  }
}
`;

const haproxyCfg = (port, nodes) => `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  option redispatch
  retries 3
frontend all
  bind 127.0.0.1:${port}
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /readyz
  default-server inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
${nodes.map((node) => `  server ${node.name} 127.0.0.1:${node.port} check`).join('\n')}
`;
