// Receivers of hooks, as tests want them: real servers that take, refuse, fail, hang, and tell what came to them; and
// scripts that do the same as commands.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { until } from './wait.mjs';

export const SECRET = `whsec_${Buffer.from('the key of these tests, 32 bytes').toString('base64')}`;

/**
 * A receiver on a free port. `answer(event, count)` gives `{status, body, headers}` for the `count`-th request, or a
 * promise of it; one that never comes is a receiver that hangs.
 */
export async function startReceiver(answer = () => ({}), { tls, port = 0 } = {}) {
  const receiver = new Receiver(answer, tls);
  await receiver.listen(port);
  return receiver;
}

class Receiver {
  /** Every request, in order: `{id, at, type, data, headers, when}`, its signature checked by the official library. */
  requests = [];
  #server;
  #scheme;

  constructor(answer, tls) {
    const take = async (request, response) => {
      const body = await text(request);
      const headers = request.headers;
      const { type, data, timestamp } = new Webhook(SECRET).verify(body, headers);
      const event = { id: headers['webhook-id'], type, data, timestamp, headers, body, url: request.url, when: Date.now() };
      this.requests.push(event);
      const { status = 204, body: said = '', headers: more = {} } = await answer(event, this.requests.length);
      response.writeHead(status, more).end(said);
    };
    const taken = (request, response) =>
      take(request, response).catch((error) => {
        this.fault = error;
        response.writeHead(500).end();
      });
    this.#server = tls ? createSecureServer(tls, taken) : createServer(taken);
    this.#scheme = tls ? 'https' : 'http';
  }

  listen(port) {
    return new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  get port() {
    return this.#server.address().port;
  }

  get url() {
    return `${this.#scheme}://127.0.0.1:${this.port}/hook?key=s3cret`;
  }

  /** The first event that `fits`, once it has come. */
  async next(what, fits) {
    await until(what, () => this.fault || this.requests.some(fits), () => `there came ${this.requests.map(({ id }) => id)}`);
    if (this.fault) throw this.fault;
    return this.requests.find(fits);
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The settings of hook `number`, in the environment's form. */
export function hook(number, keys) {
  const list = (value) => (Array.isArray(value) ? JSON.stringify(value) : String(value));
  const named = Object.entries(keys).map(([key, value]) => [`HOOKS__${number}__${key.toUpperCase()}`, list(value)]);
  return Object.fromEntries(named);
}

/** Settings of a hook by HTTP to `receiver`. */
export const posted = (receiver, keys, number = 0) => hook(number, { url: receiver.url, secret: SECRET, ...keys });

/** Writes a script that may be run. */
export function script(path, lines) {
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A file's text, and none if there is none. */
export function said(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
