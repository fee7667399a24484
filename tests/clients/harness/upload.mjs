// Uploads in chunks as frontends make them: a file is cut and hashed, a handshake says what is needed, and chunks go
// as forms. Each request is the test's own, by fetch; whatever comes back is handed out as it is.

import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { within } from './wait.mjs';

export const md5 = (bytes) => createHash('md5').update(bytes).digest('hex');

/** A file on its way to a server; any number of them may be of the same bytes. */
export class Upload {
  /** `indexed`: ids as `spark-md5` frontends make them, with the index behind. */
  constructor(bytes, { chunk = 256 * 1024, ext = '.bin', indexed = true } = {}) {
    this.bytes = bytes;
    this.ext = ext;
    this.fileId = md5(bytes);
    this.chunks = [];
    for (let at = 0; at === 0 || at < bytes.length; at += chunk) this.chunks.push(bytes.subarray(at, at + chunk));
    this.ids = this.chunks.map((part, index) => `${md5(part)}${indexed ? index : ''}`);
  }

  handshake(server, fields = {}) {
    const { fileId, ext, ids: chunkIds } = this;
    return handshake(server, { fileId, ext, chunkIds, ...fields });
  }

  /** Sends the chunk of this id. */
  send(server, chunkId, fields = {}) {
    const file = this.chunks[this.ids.indexOf(chunkId)];
    return sendForm(server, { chunkId, fileId: this.fileId, file, ...fields });
  }

  /** What a frontend does: asks, sends what is needed, so many at once and in any order, until it has a URL. */
  async run(server, { lanes = 3, order = (ids) => ids } = {}) {
    let { data } = done(await this.handshake(server));
    const left = Array.isArray(data) ? order([...data]) : [];
    const lane = async () => {
      for (let id = left.shift(); id; id = left.shift()) {
        const answer = done(await this.send(server, id)).data;
        if (!Array.isArray(answer)) data = answer;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return data;
  }
}

/** A handshake of these fields, or of this text. */
export function handshake(server, fields) {
  const body = typeof fields === 'string' ? fields : JSON.stringify(fields);
  const headers = { 'content-type': 'application/json' };
  return post(`${server.url}/api/upload/handshake`, { headers, body });
}

/** Sends a form of these fields, in this order; those without a value are left out. */
export function sendForm(server, fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([value]), 'blob');
  }
  return post(`${server.url}/api/upload`, { body: form });
}

async function post(url, request) {
  const response = await within(fetch(url, { method: 'POST', ...request }), `the answer to ${url}`);
  return { status: response.status, body: await response.json() };
}

/** The body of an answer, which must be a success. */
export function done({ status, body }) {
  if (status !== 200 || body.code !== 0 || body.msg !== '') throw new Error(JSON.stringify({ status, body }));
  return body;
}

/** A form by hand, to be cut, stretched or left hanging: its bytes, of which the file's are the last but one line. */
export function rawForm({ fileId, chunkId, file }, { order = ['file', 'chunkId', 'fileId'] } = {}) {
  const boundary = `x${randomBytes(8).toString('hex')}`;
  const values = { fileId, chunkId, file };
  const parts = order.flatMap((name) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${name === 'file' ? '; filename="blob"' : ''}\r\n\r\n`),
    Buffer.from(values[name]),
    Buffer.from('\r\n'),
  ]);
  const body = Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
  return { body, type: `multipart/form-data; boundary=${boundary}` };
}

/** A request whose every byte the test decides on. */
export class RawPost {
  #socket;
  #answer = '';

  constructor(server, path, { type, length }) {
    this.#socket = connect(server.port, '127.0.0.1');
    this.#socket.setEncoding('latin1').on('data', (text) => (this.#answer += text));
    this.#socket.on('error', () => {});
    this.send(`POST ${path} HTTP/1.1\r\nhost: ${server.url.slice('http://'.length)}\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`);
  }

  send(bytes) {
    this.#socket.write(bytes);
  }

  /** Sends no more, and leaves the other direction open. */
  end() {
    this.#socket.end();
  }

  /** Breaks off. */
  abort() {
    this.#socket.destroy();
  }

  /** `{status, body}` of the first answer, once the connection is over. */
  async answer() {
    if (!this.#socket.closed) {
      await within(new Promise((resolve) => this.#socket.once('close', resolve)), 'the end of a connection');
    }
    const [head, body = ''] = this.#answer.split('\r\n\r\n');
    const json = /\{.*\}/s.exec(body)?.[0];
    return { status: Number(head.split(' ')[1]), body: json ? JSON.parse(json) : null };
  }
}
