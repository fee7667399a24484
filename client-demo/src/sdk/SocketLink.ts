/**
 * A namespace over `socket.io-client`. Exists to turn its callbacks into answers or typed errors, and to
 * keep it from queueing: the client library would send, after a reconnect, what was true before it.
 */
import type { Socket } from "socket.io-client";
import type { Asks, Tells } from "./events";
import type { Link } from "./Link";
import type { Envelope, Problem } from "./protocol";
import { RoomdropError } from "./RoomdropError";

/** Milliseconds the server has for an answer. */
export const ANSWER_TIMEOUT = 20_000;

export class SocketLink implements Link {
  constructor(private readonly socket: Socket) {}

  get up(): boolean {
    return this.socket.connected;
  }

  async ask<E extends keyof Asks>(
    event: E,
    say: Asks[E]["say"],
    bytes?: Uint8Array,
  ): Promise<Asks[E]["hear"]> {
    if (!this.socket.connected) throw disconnected();
    const said = bytes ? [say, bytes] : [say];
    const envelope = await this.#answer(event, said);
    return dataOf(envelope) as Asks[E]["hear"];
  }

  tell<E extends keyof Asks>(event: E, say: Asks[E]["say"]): void {
    if (this.socket.connected) this.socket.emit(event, say);
  }

  on<E extends keyof Tells>(event: E, listener: (said: Tells[E], bytes?: Uint8Array) => void): () => void {
    const heard = (said: Tells[E], bytes?: ArrayBuffer | ArrayBufferView) =>
      listener(said, bytes === undefined ? undefined : asBytes(bytes));
    this.socket.on(event as string, heard);
    return () => this.socket.off(event as string, heard);
  }

  /** Rejects at a lost link; a chunk has all the time its link needs, other events have the time-out. */
  async #answer(event: string, said: unknown[]): Promise<unknown> {
    try {
      if (event === "chunk") return await this.socket.emitWithAck(event, ...said);
      return await this.socket.timeout(ANSWER_TIMEOUT).emitWithAck(event, ...said);
    } catch (error) {
      if (!this.socket.connected) throw disconnected(error);
      throw new RoomdropError("timeout", "The server did not answer in time; try again.", { cause: error });
    }
  }
}

export function disconnected(cause?: unknown): RoomdropError {
  return new RoomdropError(
    "disconnected",
    "There is no connection to the server now; it is tried again by itself.",
    { cause },
  );
}

function dataOf(envelope: unknown): unknown {
  const { code, msg, data } = (envelope ?? {}) as Partial<Envelope<unknown>>;
  if (typeof code !== "number") {
    throw new RoomdropError("bad_reply", "The server answered something that is not the protocol.");
  }
  if (code >= 0) return data;
  throw refusal(msg, data);
}

/** The error that an envelope with code −1 stands for. */
export function refusal(msg: string | undefined, data: unknown): RoomdropError {
  const code = (data as Partial<Problem> | null | undefined)?.error ?? "internal";
  return new RoomdropError(code, msg ?? "The server refused.");
}

function asBytes(bytes: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
}
