/**
 * A client without the SDK and without the room's secret: what it hears is what the server knows, and anyone who has the
 * room's code alone.
 */
import { io, type Socket } from "socket.io-client";

interface Offered {
  drop: string;
  transfers: { transfer: string; name: string; size: number | null }[];
}

export class Outsider {
  /** Everything that was said to it, as JSON. */
  readonly heard: string[] = [];
  readonly offers: Offered[] = [];

  private constructor(
    private readonly url: string,
    private readonly socket: Socket,
  ) {
    socket.onAny((event, ...said) => this.heard.push(JSON.stringify([event, said])));
    socket.on("drop:offered", (offer: Offered) => this.offers.push(offer));
  }

  static async enter(url: string, room: string): Promise<Outsider> {
    const outsider = new Outsider(url, io(`${url}/rooms`));
    const joined = await outsider.#ask("room:join", { room, name: "Out" });
    outsider.heard.push(JSON.stringify(joined));
    return outsider;
  }

  /** Accepts a transfer, and downloads what the server has of it. */
  async take(transfer: string): Promise<Buffer> {
    const { url } = (await this.#ask("transfer:accept", { transfer })) as { url: string };
    const response = await fetch(this.url + url);
    return Buffer.from(await response.arrayBuffer());
  }

  leave(): void {
    this.socket.disconnect();
  }

  async #ask(event: string, say: object): Promise<unknown> {
    const { data } = (await this.socket.emitWithAck(event, say)) as { data: unknown };
    return data;
  }
}
