// Ports for what must come back on the same one after a fault. They lie below those that the system gives to
// outgoing connections, so that no client takes one while its owner is down.

import { once } from 'node:events';
import net from 'node:net';

const [FIRST, LAST] = [15_000, 30_000];

/** A port that is free now. */
export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    const server = net.createServer().listen(port, '127.0.0.1');
    const isFree = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false);
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
