/**
 * The way in: one connection to a server, over which any number of rooms are joined. `socket.io-client`
 * finds the transport and comes back after every loss; this file tells the rooms and the transfers so.
 */
import { Manager, type Socket } from "socket.io-client";
import { autoSink } from "./autoSink";
import { browserShelf, type HandleShelf } from "./HandleShelf";
import { LinkCheck } from "./LinkCheck";
import { memorySink } from "./memorySink";
import { onReturn } from "./onReturn";
import { opfsSink } from "./opfsSink";
import { Parties } from "./Parties";
import { type RecordStorage, Records, tabStorage } from "./Records";
import { Room } from "./Room";
import { RoomdropError } from "./RoomdropError";
import type { Who } from "./roomEvents";
import type { SinkOpener } from "./Sink";
import { SocketLink } from "./SocketLink";

export interface ConnectOptions {
  /** A JWT, where the server asks for a sign-in. Default: none. */
  token?: string;
  /** Path of the Socket.IO endpoint. Default `/socket.io/`. */
  path?: string;
  /** Default `["polling", "websocket"]`: begins with what passes everywhere, then upgrades. */
  transports?: ("polling" | "websocket")[];
  /** Where keys and tokens are remembered for a reload; `null`: nowhere. Default: `sessionStorage`. */
  storage?: RecordStorage | null;
  /** Where the handles of offered files are kept for a reload; `null`: nowhere. Default: IndexedDB. */
  handles?: HandleShelf | null;
  /** Whether whole files are checked by BLAKE3, in workers. Default `true`. */
  digest?: boolean;
  /** More sinks by which transfers go on after a reload, besides those of the SDK. Default: none. */
  sinks?: SinkOpener[];
  /** What `accept` uses when it is told nothing. Default: `autoSink()`. */
  sink?: SinkOpener;
}

/** Milliseconds for a connection to be made. */
const CONNECT_TIMEOUT = 10_000;
/** Milliseconds before a namespace is asked for again that the server closed. */
const RETURN_PAUSE = 1000;

export class Connection {
  readonly #manager: Manager;
  readonly #handshake: { auth?: { token: string } };
  readonly #people: Socket;
  readonly #bytes: Socket;
  readonly #link: SocketLink;
  #fetches: { socket: Socket; link: SocketLink } | undefined;
  readonly #parties: Parties;
  readonly #handles: HandleShelf | undefined;
  readonly #rooms = new Map<string, Room>();
  readonly #stopLooking: () => void;
  #closed: "open" | "closed" = "open";

  constructor(
    private readonly url: string,
    private readonly options: ConnectOptions,
  ) {
    const { token, path, transports } = options;
    this.#manager = new Manager(url, {
      path: path ?? "/socket.io/",
      ...(transports ? { transports } : {}),
      // A page that comes back is kept from its old HTTP connections, which may be dead: a WebSocket is always a new one.
      rememberUpgrade: true,
      timeout: CONNECT_TIMEOUT,
      reconnectionDelay: 500,
      reconnectionDelayMax: 5000,
    });
    // Where WebSockets are let nowhere any more, the next attempt is by long polling again.
    this.#manager.on("error", () => {
      this.#manager.opts.rememberUpgrade = false;
    });
    this.#manager.on("open", () => {
      this.#manager.opts.rememberUpgrade = true;
    });
    this.#handshake = token ? { auth: { token } } : {};
    this.#people = this.#manager.socket("/rooms", this.#handshake);
    this.#bytes = this.#manager.socket("/transfers", this.#handshake);
    this.#link = new SocketLink(this.#people);
    this.#handles = options.handles === undefined ? browserShelf() : (options.handles ?? undefined);
    this.#parties = new Parties(new SocketLink(this.#bytes));
    this.#follow(this.#people, this.#everyRoom);
    this.#follow(this.#bytes, () => [this.#parties]);
    const check = new LinkCheck({
      up: () => this.#sockets().every((socket) => socket.connected),
      answers: (within) => answers(this.#bytes, within),
      renew: () => this.#renew(),
    });
    this.#stopLooking = onReturn(() => void check.check());
  }

  /** The room, being joined; `room.joined()` waits for it. The same object for the same id until it is left. */
  room(id: string, who: Who = {}): Room {
    const known = this.#rooms.get(id);
    if (known && known.state !== "left") return known;
    const { storage, digest = true, sinks = [], sink = autoSink({ digest }) } = this.options;
    const room = new Room(
      {
        room: id,
        link: this.#link,
        fetchLink: () => this.#openFetches(),
        parties: this.#parties,
        records: new Records(storage === undefined ? tabStorage() : (storage ?? undefined), this.url, id),
        handles: this.#handles,
        sinks: [...sinks, sink, autoSink({ digest }), memorySink({ digest }), opfsSink({ digest })],
        sink,
        digest,
        base: this.url,
      },
      who,
    );
    this.#rooms.set(id, room);
    if (this.#link.up) room.linkUp();
    return room;
  }

  /** Ends the connection; rooms see it as a lost link of this member's. */
  close(): void {
    this.#closed = "closed";
    this.#stopLooking();
    for (const room of this.#rooms.values()) room.close();
    this.#people.disconnect();
    this.#bytes.disconnect();
    this.#fetches?.socket.disconnect();
  }

  #openFetches(): SocketLink {
    if (this.#fetches) return this.#fetches.link;
    const socket = this.#manager.socket("/fetches", this.#handshake);
    const link = new SocketLink(socket);
    this.#fetches = { socket, link };
    const up = () =>
      this.#everyRoom().map(({ fetches }) => ({ linkUp: () => fetches.resume(), linkDown: () => {} }));
    this.#follow(socket, up);
    return link;
  }

  #sockets(): Socket[] {
    return [this.#people, this.#bytes, ...(this.#fetches ? [this.#fetches.socket] : [])];
  }

  /** Without waiting for what the client library waits for between two attempts. */
  #renew(): void {
    if (this.#closed === "closed") return;
    for (const socket of this.#sockets()) socket.disconnect();
    for (const socket of this.#sockets()) socket.connect();
  }

  readonly #everyRoom = () => [...this.#rooms.values()];

  #follow(socket: Socket, who: () => { linkUp(): void; linkDown(): void }[]): void {
    socket.on("connect", () => {
      for (const one of who()) one.linkUp();
    });
    socket.on("disconnect", () => {
      for (const one of who()) one.linkDown();
      // Closed by the server on purpose, it is not opened again by the client library itself.
      if (!socket.active) this.#return(socket);
    });
    socket.on("connect_error", (error) => {
      if (socket.active) return;
      if (isUnauthorized(error)) {
        const refusal = new RoomdropError("unauthorized", "The server asks for a sign-in.", { cause: error });
        for (const room of this.#rooms.values()) room.refused(refusal);
      } else {
        this.#return(socket);
      }
    });
  }

  #return(socket: Socket): void {
    setTimeout(() => {
      if (this.#closed === "open") socket.connect();
    }, RETURN_PAUSE);
  }
}

/** Connects to the server at `url` (such as `location.origin`); returns at once, and tries for ever. */
export function connect(url: string, options: ConnectOptions = {}): Connection {
  return new Connection(url, options);
}

/** Any answer will do, also that there is no such transfer. */
async function answers(socket: Socket, within: number): Promise<boolean> {
  return socket
    .timeout(within)
    .emitWithAck("source:open", { tokens: [] })
    .then(
      () => true,
      () => false,
    );
}

function isUnauthorized(error: Error & { data?: unknown }): boolean {
  return JSON.stringify([error.message, error.data ?? null]).includes("unauthorized");
}
