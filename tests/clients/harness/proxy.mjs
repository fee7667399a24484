// A bad network between a client and the server: a TCP proxy that can cut what is connected, refuse what is
// new, and hold back what comes.

import { once } from 'node:events';
import net from 'node:net';

/** Starts a proxy to `port` of the loopback. */
export async function startProxy(port) {
  const proxy = new BadNetwork(port);
  await proxy.listen();
  return proxy;
}

class BadNetwork {
  /** Bytes that clients have sent. */
  up = 0;
  /** Bytes that the server has sent. */
  down = 0;
  #port;
  #server;
  #pairs = new Set();
  #mode = 'pass';

  constructor(port) {
    this.#port = port;
    this.#server = net.createServer((client) => this.#connect(client));
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** Resets every connection, as a router that forgot them does. New ones may come. */
  cut() {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Cuts, and takes nobody in until `pass`. */
  refuse() {
    this.#mode = 'refuse';
    this.cut();
  }

  /** Hands nothing on until `pass`; connections stay, and their buffers fill. */
  hold() {
    this.#mode = 'hold';
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** Lets everything through again. */
  pass() {
    this.#mode = 'pass';
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Ends it. */
  close() {
    this.refuse();
    this.#server.close();
  }

  #connect(client) {
    if (this.#mode === 'refuse') return client.resetAndDestroy();
    const server = net.connect(this.#port, '127.0.0.1');
    const pair = [client, server];
    this.#pairs.add(pair);
    this.#carry(client, server, (bytes) => (this.up += bytes));
    this.#carry(server, client, (bytes) => (this.down += bytes));
    const over = () => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on('error', over).on('close', over);
    if (this.#mode === 'hold') for (const socket of pair) socket.pause();
  }

  #carry(from, to, count) {
    from.on('data', (data) => {
      count(data.length);
      if (to.write(data)) return;
      from.pause();
      to.once('drain', () => this.#mode !== 'hold' && from.resume());
    });
  }
}
