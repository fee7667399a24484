/**
 * A TCP proxy of a test's own between one browser and the server: it cuts, refuses, holds and slows down at
 * an exact byte, so that tests need no luck and no sleeps.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

interface Pair {
  client: Socket;
  server: Socket;
  held: boolean;
}

/** What is done once so many more bytes have come down. */
interface Plan {
  after: number;
  act(pair: Pair): void;
}

export class TcpProxy {
  readonly #pairs = new Set<Pair>();
  readonly #listener: Server;
  #door: "open" | "shut" = "open";
  #plan: Plan | undefined;
  #webSockets: "passed" | "refused" = "passed";
  #pace = Number.POSITIVE_INFINITY;
  #paceUp = Number.POSITIVE_INFINITY;
  #down = 0;

  private constructor(private readonly port: number) {
    this.#listener = createServer((client) => this.#accept(client));
  }

  /** In front of `url`. */
  static async before(url: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(Number(new URL(url).port));
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Bytes that came down to the browser. */
  get down(): number {
    return this.#down;
  }

  /** Ends every connection and refuses new ones until `mend`. */
  cut(): void {
    this.#door = "shut";
    this.#endAll();
  }

  mend(): void {
    this.#door = "open";
  }

  /** Cuts once `bytes` more have come down; resolves then. */
  cutAfter(bytes: number): Promise<void> {
    return this.#after(bytes, () => this.cut());
  }

  /** Resolves once `bytes` more have come down. */
  reach(bytes: number): Promise<void> {
    return this.#after(bytes, () => undefined);
  }

  /** Holds the connection on which the last of `bytes` more comes down, for good; all others are free. */
  holdAfter(bytes: number): Promise<void> {
    return this.#after(bytes, (pair) => {
      pair.held = true;
      pair.server.pause();
    });
  }

  /** Holds every connection there is, for good and without a word, as a phone's are that slept; new ones are free. */
  holdAll(): void {
    for (const pair of this.#pairs) {
      pair.held = true;
      pair.server.pause();
      pair.client.pause();
    }
  }

  /** Lets down at most so many bytes a second from now on, on each connection. */
  pace(bytesPerSecond: number): void {
    this.#pace = bytesPerSecond;
  }

  /** The same upwards. */
  paceUp(bytesPerSecond: number): void {
    this.#paceUp = bytesPerSecond;
  }

  /** Lets no WebSocket through from now on, as some company networks do. */
  refuseWebSockets(): void {
    this.#webSockets = "refused";
  }

  async stop(): Promise<void> {
    this.#endAll();
    await new Promise((closed) => this.#listener.close(closed));
  }

  #after(bytes: number, act: (pair: Pair) => void): Promise<void> {
    return new Promise((done) => {
      this.#plan = {
        after: this.#down + bytes,
        act: (pair) => {
          act(pair);
          done();
        },
      };
    });
  }

  #accept(client: Socket): void {
    if (this.#door === "shut") {
      client.destroy();
      return;
    }
    const server = connect(this.port, "127.0.0.1");
    const pair: Pair = { client, server, held: false };
    this.#pairs.add(pair);
    const end = () => this.#end(pair);
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.on("data", (bytes) => this.#carry(pair, bytes));
    server.on("data", (bytes) => this.#bring(pair, bytes));
  }

  #carry(pair: Pair, bytes: Buffer): void {
    const { client, server } = pair;
    if (pair.held) return;
    const begins = bytes.toString("latin1", 0, 300);
    if (this.#webSockets === "refused" && /^GET \S*transport=websocket/.test(begins)) {
      this.#end(pair);
      return;
    }
    const room = server.write(bytes);
    if (Number.isFinite(this.#paceUp)) {
      client.pause();
      setTimeout(() => client.resume(), (bytes.length / this.#paceUp) * 1000);
    } else if (!room) {
      client.pause();
      server.once("drain", () => client.resume());
    }
  }

  #bring(pair: Pair, bytes: Buffer): void {
    const { client, server } = pair;
    const room = client.write(bytes);
    this.#down += bytes.length;
    const plan = this.#plan;
    if (plan && this.#down >= plan.after) {
      this.#plan = undefined;
      plan.act(pair);
    }
    const go = () => {
      if (!pair.held) server.resume();
    };
    if (Number.isFinite(this.#pace)) {
      server.pause();
      setTimeout(go, (bytes.length / this.#pace) * 1000);
    } else if (!room) {
      server.pause();
      client.once("drain", go);
    }
  }

  #end(pair: Pair): void {
    pair.client.destroy();
    pair.server.destroy();
    this.#pairs.delete(pair);
  }

  #endAll(): void {
    for (const pair of [...this.#pairs]) this.#end(pair);
  }
}
