// The worst load balancer that may stand before the nodes: each request goes to the next one, whatever it
// belongs to. A node that refuses the connection, or answers 503 to a GET, is passed over, as nginx does it.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

/** Starts one before `nodes` (each with `name` and `port`). */
export async function startRoundRobin(nodes) {
  const balancer = new RoundRobin(nodes);
  await balancer.listen();
  return balancer;
}

class RoundRobin {
  /** Each request: `{node, method, sid, status}`. */
  requests = [];
  #nodes;
  #turn = 0;
  #first = null;
  #agent = new http.Agent({ keepAlive: true });
  #server = http.createServer((request, response) => this.#pass(request, response));
  #sockets = new Set();

  constructor(nodes) {
    this.#nodes = nodes;
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('connection', (socket) => this.#keep(socket));
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Sessions begin at `node` from now on, as long as it takes any. */
  beginWith(node) {
    this.#first = node;
  }

  /** The names of the nodes that got requests with this sid. */
  nodesOf(sid) {
    return [...new Set(this.requests.filter((request) => request.sid === sid).map(({ node }) => node))];
  }

  close() {
    this.#server.close();
    this.#agent.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket));
  }

  #inTurn({ url }) {
    const begins = this.#first && !sidOf(url);
    const from = begins ? this.#nodes.indexOf(this.#first) : this.#turn;
    this.#turn += 1;
    return this.#nodes.map((_, index) => this.#nodes[(from + index) % this.#nodes.length]);
  }

  #note(node, request, status) {
    this.requests.push({ node: node.name, method: request.method, sid: sidOf(request.url), status });
  }

  async #pass(request, response) {
    const body = Buffer.concat(await request.toArray().catch(() => []));
    const nodes = this.#inTurn(request);
    for (const [index, node] of nodes.entries()) {
      const isLast = index === nodes.length - 1;
      const answer = await this.#ask(node, request, response, body).catch(() => null);
      if (!answer) continue;
      this.#note(node, request, answer.statusCode);
      if (answer.statusCode === 503 && request.method === 'GET' && !isLast) {
        answer.resume();
        continue;
      }
      response.writeHead(answer.statusCode, answer.headers);
      answer.on('error', () => response.destroy()).pipe(response);
      return;
    }
    response.writeHead(502).end();
  }

  #ask(node, { method, url, headers }, response, body) {
    return new Promise((resolve, reject) => {
      const asked = http.request({ port: node.port, method, path: url, headers, agent: this.#agent });
      asked.on('response', resolve).on('error', reject).end(body);
      response.on('close', () => response.writableFinished || asked.destroy());
    });
  }

  async #upgrade(request, client, head) {
    for (const node of this.#inTurn(request)) {
      const server = net.connect(node.port, '127.0.0.1');
      this.#keep(server);
      try {
        await once(server, 'connect');
      } catch {
        continue;
      }
      this.#note(node, request, 101);
      const { rawHeaders } = request;
      const lines = rawHeaders.map((word, index) => (index % 2 ? `${word}\r\n` : `${word}: `)).join('');
      server.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines}\r\n`);
      server.write(head);
      client.pipe(server).pipe(client);
      client.on('close', () => server.destroy());
      server.on('close', () => client.destroy());
      return;
    }
    client.destroy();
  }
}

const sidOf = (url) => new URL(url, 'http://localhost').searchParams.get('sid');
