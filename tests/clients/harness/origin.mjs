// An origin that a server may fetch from: a web server of Node that behaves well, or in one of the ways in which
// origins misbehave. Each test makes its own file on it; what was asked for it is kept.

import { createServer } from 'node:http';
import { sha256 } from './bytes.mjs';

/** Starts one on a free port of the loopback. */
export async function startOrigin() {
  const origin = new Origin();
  await origin.start();
  return origin;
}

class Origin {
  #files = new Map();
  #server;
  #sockets = new Set();

  async start() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are open. */
  get connections() {
    return this.#sockets.size;
  }

  /**
   * Has `path` answered by `answer(request, response, file)`; without one, as a good server does. `file` has the
   * requests that came for it, and how many bytes were taken of it.
   */
  serve(path, { bytes = Buffer.alloc(0), tag = sha256(bytes).slice(0, 20), headers = {}, answer = good } = {}) {
    const file = { bytes, tag: `"${tag}"`, headers, answer, requests: [], taken: 0, open: 0 };
    this.#files.set(path, file);
    file.url = `${this.url}${path}`;
    return file;
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request, response) {
    const file = this.#files.get(new URL(request.url, this.url).pathname);
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    file.requests.push(request.headers);
    file.open += 1;
    response.once('close', () => (file.open -= 1));
    file.answer(request, response, file);
  }
}

/** The first byte that a request asks for. */
export const from = (request) => Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);

/** As a good server: ranges, a strong tag, If-Range. */
export function good(request, response, file) {
  const { bytes, tag, headers } = file;
  const condition = request.headers['if-range'];
  const start = condition && condition !== tag ? 0 : from(request);
  const all = { 'accept-ranges': 'bytes', etag: tag, ...headers };
  if (bytes.length > 0 && request.headers.range && start === from(request)) {
    all['content-range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(206, { ...all, 'content-length': bytes.length - start });
  } else {
    response.writeHead(200, { ...all, 'content-length': bytes.length });
  }
  pour(response, bytes.subarray(start), file);
}

/** Without ranges, and with the size or without. */
export const plain = ({ sized = true } = {}) => (_, response, file) => {
  response.writeHead(200, { ...file.headers, ...(sized && { 'content-length': file.bytes.length }) });
  pour(response, file.bytes, file);
};

/** Writes `bytes` as fast as they are read, then what `end` does: by default the end. */
export function pour(response, bytes, file, end = () => response.end()) {
  let at = 0;
  const more = () => {
    while (at < bytes.length && !response.destroyed) {
      const piece = bytes.subarray(at, at + 65536);
      at += piece.length;
      file.taken += piece.length;
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    if (!response.destroyed) end();
  };
  more();
}
