// Uploads in pieces, as tests speak of them: by the real tus-js-client, and by single requests for what it never
// says.

import { Upload } from 'tus-js-client';
import { PATIENCE, within } from './wait.mjs';

/** The headers that each request has, and those that a body has. */
export const SPOKEN = { 'Tus-Resumable': '1.0.0' };
export const BYTES = { ...SPOKEN, 'Content-Type': 'application/offset+octet-stream' };

export const base64 = (text) => Buffer.from(text).toString('base64');

/** `Upload-Metadata` of these pairs. */
export const metadata = (pairs) =>
  Object.entries(pairs).map(([key, value]) => `${key} ${base64(value)}`).join(',');

/**
 * An upload by tus-js-client that has not begun. `uploaded` is its end; `answers` are the answers of the server, the
 * last last; `seen` is called with the bytes that were accepted, whenever they are more.
 */
export function upload(url, bytes, { seen = () => {}, ...options } = {}) {
  const it = { answers: [] };
  const ended = new Promise((resolve, reject) => {
    it.client = new Upload(bytes, {
      endpoint: `${url}/tus/`,
      retryDelays: [0, 50, 100, 250, 500, 1000, 2000, 3000],
      onSuccess: resolve,
      onError: reject,
      onChunkComplete: (_, accepted) => seen(accepted),
      onAfterResponse: (_, answer) => void it.answers.push(answer),
      ...options,
    });
  });
  ended.catch(() => {});
  it.uploaded = () => within(ended, () => `the upload of ${bytes.length} bytes`, 2 * PATIENCE);
  return it;
}

/** A whole upload by tus-js-client; its address, and the drop and the transfer that it became. */
export async function uploadAll(url, bytes, options) {
  const it = upload(url, bytes, options);
  it.client.start();
  await it.uploaded();
  const last = it.answers.at(-1);
  return { url: it.client.url, drop: last.getHeader('Roomdrop-Drop'), transfer: last.getHeader('Roomdrop-Transfer') };
}

/** Begins an upload by a single request; the response. */
export const begin = (url, headers, body) =>
  fetch(`${url}/tus/`, { method: 'POST', headers: { ...SPOKEN, ...headers }, body });

/** Begins an upload of `length` bytes; its address. */
export async function begun(url, length, headers = {}) {
  const response = await begin(url, { 'Upload-Length': String(length), ...headers });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
  return new URL(response.headers.get('Location'), url).href;
}

/** Sends a body; the response. */
export const patch = (address, offset, body, headers = {}) =>
  fetch(address, {
    method: 'PATCH',
    headers: { ...BYTES, 'Upload-Offset': String(offset), ...headers },
    body,
    duplex: 'half',
  });

/** How an upload stands; the response. */
export const head = (address) => fetch(address, { method: 'HEAD', headers: SPOKEN });

/** Where an upload stands. */
export async function offsetOf(address) {
  const response = await head(address);
  if (response.status !== 200) throw new Error(`HEAD: ${response.status}`);
  return Number(response.headers.get('Upload-Offset'));
}

/** The status of a response, and the error that its envelope names. */
export async function outcome(response) {
  const text = await response.text();
  return [response.status, text && JSON.parse(text).data.error];
}
