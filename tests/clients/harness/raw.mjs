// HTTP by hand: requests as no client would send them, over a socket of their own.

import { connect } from 'node:net';
import { within } from './wait.mjs';

/**
 * What a server at this port of the loopback says to `bytes` (a text of Latin-1), until it closes or what it said
 * `fits`. With `end`, it hears that no more comes.
 */
export async function raw(port, bytes, { end = false, fits = () => false } = {}) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let said = '';
  socket.on('error', () => {});
  const answered = new Promise((resolve) => {
    socket.setEncoding('latin1').on('data', (text) => {
      said += text;
      if (fits(said)) resolve();
    });
    socket.once('close', resolve).once('end', resolve);
  });
  socket.write(bytes, 'latin1');
  if (end) socket.end();
  await within(answered, `the answer to ${bytes.slice(0, 200)}`);
  socket.destroy();
  return said;
}
