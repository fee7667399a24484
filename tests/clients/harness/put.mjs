// Uploads by plain HTTP whose every byte the test decides on: what is sent when, whether the server asked for it,
// and what it answers. curl does the rest.

import http from 'node:http';
import { within } from './wait.mjs';

/**
 * Begins `PUT url` with these headers. Without a `content-length` it is chunked. Nothing of the body is sent.
 */
export function beginPut(url, headers = {}) {
  return new Put(url, headers);
}

class Put {
  /** Whether the server has said `100 Continue`. */
  continued = false;
  #request;
  #answer;

  constructor(url, headers) {
    const chunked = 'content-length' in headers ? {} : { 'transfer-encoding': 'chunked' };
    this.#request = http.request(url, { method: 'PUT', agent: false, headers: { ...chunked, ...headers } });
    this.#request.on('continue', () => (this.continued = true));
    this.#answer = new Promise((resolve, reject) => {
      this.#request.on('error', reject);
      this.#request.on('response', async (response) => {
        const pieces = [];
        for await (const piece of response) pieces.push(piece);
        const text = Buffer.concat(pieces).toString();
        resolve({ status: response.statusCode, headers: response.headers, body: JSON.parse(text), text });
      });
    });
    this.#answer.catch(() => {});
    this.#request.flushHeaders();
  }

  /** Sends more of the body; once it has left this program. */
  async send(bytes) {
    await within(new Promise((resolve) => this.#request.write(bytes, resolve)), 'a piece of the body to leave');
  }

  /** Sends the last of it. */
  end(bytes) {
    this.#request.end(bytes);
  }

  /** Breaks off without a word. */
  abort() {
    this.#request.destroy();
  }

  /** `{status, headers, body}`, the body read as JSON. */
  answer() {
    return within(this.#answer, 'the answer to an upload');
  }
}
