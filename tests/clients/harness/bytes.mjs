// Bytes to send and ways to compare them.

import { createHash, randomBytes } from 'node:crypto';

export const KIB = 1024;
export const MIB = 1024 * 1024;

/** Random bytes: any of them lost, doubled or misplaced changes the digest. */
export const randomFile = (size) => randomBytes(size);

/** The digest of `bytes` as the protocol writes it. */
export const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** An attachment as the clients hand it out (Buffer, typed array or ArrayBuffer), as a Buffer. */
export function toBuffer(bytes) {
  if (Buffer.isBuffer(bytes)) return bytes;
  if (ArrayBuffer.isView(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Buffer.from(bytes);
}
