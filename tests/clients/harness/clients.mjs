// The official clients, each as its own users have it: nothing here knows roomdrop beyond the names of its
// two namespaces. One link carries both.

import { Manager as Manager4 } from 'socket.io-client';
import v2 from 'socket.io-client-v2';
import { Manager as Manager3 } from 'socket.io-client-v3';
import { Inbox, within } from './wait.mjs';

const client = (Manager, transports) => ({ Manager, options: transports ? { transports } : {} });

/** Every client of the matrix, by the name that its tests carry. */
export const CLIENTS = {
  'socket.io-client 4 (websocket)': client(Manager4, ['websocket']),
  'socket.io-client 4 (polling)': client(Manager4, ['polling']),
  'socket.io-client 4 (upgrade)': client(Manager4),
  'socket.io-client 3 (websocket)': client(Manager3, ['websocket']),
  'socket.io-client 3 (polling)': client(Manager3, ['polling']),
  'socket.io-client 2 (websocket)': client(v2.Manager, ['websocket']),
  'socket.io-client 2 (polling)': client(v2.Manager, ['polling']),
  'socket.io-client 2 (upgrade)': client(v2.Manager),
};

const DEFAULT = CLIENTS['socket.io-client 4 (websocket)'];

// Names are listed because the clients before 3 have no `onAny`.
const EVENTS = {
  '/rooms': ['room:joined', 'room:left', 'room:message', 'drop:offered', 'transfer:status', 'problem'],
  '/fetches': ['fetch:progress', 'fetch:complete', 'fetch:failed', 'problem'],
  '/transfers': ['pull', 'stop', 'chunk', 'transfer:end', 'transfer:status', 'problem'],
};

/** A link to the server at `url` with both namespaces connected. */
export async function connect(url, { Manager, options } = DEFAULT) {
  const manager = new Manager(url, { reconnectionDelay: 20, reconnectionDelayMax: 100, ...options });
  const link = {
    manager,
    rooms: new Wire(manager.socket('/rooms'), '/rooms'),
    transfers: new Wire(manager.socket('/transfers'), '/transfers'),
    close() {
      link.rooms.socket.disconnect();
      link.transfers.socket.disconnect();
    },
  };
  OPEN.add(link);
  // The client 2 keeps the half of a packet over a lost link, and throws at what comes after (its parser's
  // `destroy` leaves `reconstructor` in place).
  const { decoder } = manager;
  if (decoder && 'reconstructor' in decoder) {
    link.transfers.socket.on('disconnect', () => {
      decoder.reconstructor = null;
    });
  }
  await Promise.all([link.rooms.connected(), link.transfers.connected()]);
  return link;
}

const OPEN = new Set();

/** Has `closeAll` call the `close` of one more link. */
export const closeWithAll = (link) => OPEN.add(link);

/** Stands in an argument for 5,000 lists in one another: more than any parser should follow, and than JavaScript's can write. */
export const NESTED = '5,000 lists in one another';
const NESTED_JSON = `${'['.repeat(5000)}${']'.repeat(5000)}`;

/** Closes every link that this file's tests have opened; a client that lives on would keep the process alive. */
export function closeAll() {
  for (const link of OPEN) link.close();
  OPEN.clear();
}

/** One namespace of a link: ask and be answered, tell, and everything that came. */
export class Wire {
  constructor(socket, name) {
    this.socket = socket;
    this.name = name;
    this.inbox = new Inbox();
    this.drops = 0;
    socket.on('disconnect', () => (this.drops += 1));
    for (const event of EVENTS[name]) socket.on(event, (...args) => this.inbox.push(event, ...args));
  }

  /** Once the namespace is connected. */
  connected() {
    if (this.socket.connected) return Promise.resolve();
    const connected = new Promise((resolve) => this.socket.once('connect', resolve));
    return within(connected, `the connection of ${this.name}`);
  }

  /** The envelope that answers `event`. */
  ask(event, ...args) {
    const answer = new Promise((resolve) => {
      const words = args.filter((arg) => !Buffer.isBuffer(arg));
      const text = JSON.stringify([event, ...words]);
      if (text.includes(NESTED)) this.#askInText(text, args.filter(Buffer.isBuffer), resolve);
      else this.socket.emit(event, ...args, resolve);
    });
    return within(answer, `the answer to "${event}"`);
  }

  /** Sends `event` without asking for an answer. */
  tell(event, ...args) {
    this.socket.emit(event, ...args);
  }

  // The packet by hand (Socket.IO protocol v5), for `socket.io-client` 4 over WebSocket.
  #askInText(text, attachments, resolve) {
    const id = this.socket.ids++;
    this.socket.acks[id] = resolve;
    const places = attachments.map((_, num) => `,{"_placeholder":true,"num":${num}}`).join('');
    const words = text.slice(0, -1).replaceAll(`"${NESTED}"`, NESTED_JSON);
    const type = attachments.length > 0 ? `5${attachments.length}-` : '2';
    const { engine } = this.socket.io;
    engine.write(`${type}${this.name},${id}${words}${places}]`);
    for (const bytes of attachments) engine.write(bytes);
  }
}
