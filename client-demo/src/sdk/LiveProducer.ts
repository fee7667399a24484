/**
 * Sends a stream as it comes: one lane, from its first byte, as far as credit goes; then its size and digest. Chunks
 * are kept until they are acknowledged, so one that the server had no room for is sent again. It refuses to outlive
 * its link once bytes were sent: the server cannot ask a stream for them again, and has ended the transfer.
 */
import { MIB } from "./ChunkSize";
import { StreamHash } from "./digest";
import type { Link } from "./Link";
import type { LiveSource } from "./LiveSource";
import type { Openings } from "./Openings";
import type { Party } from "./Party";
import type { Pull, Stop } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { retrying } from "./retrying";

export interface LiveProducerOptions {
  transfer: string;
  /** The source token. */
  token: string;
  source: LiveSource;
  link: Link;
  openings: Openings;
  /** Whether to compute and send the whole stream's digest. */
  digest: boolean;
  /** It ended: refused by the server, or the stream broke. */
  failed(error: RoomdropError): void;
}

/** Bytes of a chunk, at most, until the server says what it takes. */
const CHUNK = MIB;
/** Chunks that may wait for their acknowledgement. */
const IN_FLIGHT = 8;
/** Milliseconds before a chunk is tried again that the server had no room for. */
const BREATH = 1000;

interface Sent {
  offset: number;
  bytes: Uint8Array;
}

export class LiveProducer implements Party {
  #lane: number | undefined;
  #limit = 0;
  #offset = 0;
  #chunk = CHUNK;
  /** Sent and not acknowledged, in order. */
  #unacknowledged: Sent[] = [];
  readonly #hash: StreamHash | undefined;
  /** `idle` → `flowing` at the first pull → `done` at the stream's end → `over`. */
  #state: "idle" | "flowing" | "done" | "over" = "idle";
  #wake: () => void = () => undefined;
  /** Rises with every link: what was begun under an older one is void. */
  #era = 0;

  constructor(private readonly options: LiveProducerOptions) {
    this.#hash = options.digest ? new StreamHash() : undefined;
  }

  linkUp(): void {
    this.#era += 1;
    const era = this.#era;
    const { openings, token } = this.options;
    retrying(
      () => openings.source(token),
      () => era === this.#era && this.#state !== "over",
    )
      .then((opened) => {
        if (opened) this.#chunk = Math.min(CHUNK, opened.chunk.max);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  linkDown(): void {
    this.#era += 1;
    if (this.#state === "flowing" || (this.#state === "done" && this.#unacknowledged.length > 0)) {
      const why = "The connection was lost, and a live stream cannot be sent again.";
      this.#fail(new RoomdropError("source_lost", why));
    }
  }

  /** Sends no more; nothing is said to the server. */
  close(): void {
    this.#state = "over";
    this.#unacknowledged = [];
    this.options.source.close();
    this.#wake();
  }

  pull({ lane, limit }: Pull): void {
    if (this.#state === "over") return;
    // A lane of a new number goes on from what the server holds: there is nothing else to go on from.
    this.#limit = lane === this.#lane ? Math.max(this.#limit, limit) : limit;
    this.#lane = lane;
    this.#wake();
    if (this.#state === "idle") {
      this.#state = "flowing";
      void this.#flow();
    }
  }

  stop({ lane }: Stop): void {
    if (lane === this.#lane) this.#limit = this.#offset;
  }

  async #flow(): Promise<void> {
    while (this.#state === "flowing") {
      const credit = this.#limit - this.#offset;
      if (credit <= 0 || this.#unacknowledged.length >= IN_FLIGHT) {
        await this.#news();
        continue;
      }
      const bytes = await this.#read(Math.min(credit, this.#chunk));
      if (this.#state !== "flowing") return;
      if (!bytes) {
        this.#state = "done";
        return this.#finish();
      }
      const sent = { offset: this.#offset, bytes };
      this.#offset += bytes.byteLength;
      this.#unacknowledged.push(sent);
      this.#hash?.take(bytes);
      void this.#send(sent);
    }
  }

  async #read(most: number): Promise<Uint8Array | undefined> {
    try {
      return await this.options.source.next(most);
    } catch (error) {
      const failure = RoomdropError.from(error, "file_changed", "The stream broke off.");
      this.options.link.tell("source:fail", { transfer: this.options.transfer, reason: failure.message });
      this.#fail(failure);
      return undefined;
    }
  }

  async #send(sent: Sent): Promise<void> {
    const { link, transfer } = this.options;
    if (this.#lane === undefined) return;
    try {
      await link.ask("chunk", { transfer, lane: this.#lane, offset: sent.offset }, sent.bytes);
      this.#unacknowledged = this.#unacknowledged.filter((one) => one !== sent);
      this.#wake();
    } catch (error) {
      this.#refused(sent, error);
    }
  }

  #refused(sent: Sent, error: unknown): void {
    const failure = RoomdropError.from(error, "bad_reply", "The server's answer could not be read.");
    switch (failure.code) {
      case "disconnected": // `linkDown` ends it
        return;
      case "rate_limited":
      case "overloaded":
      case "unexpected_chunk": // it follows one that was refused
        setTimeout(() => {
          if (this.#unacknowledged.includes(sent)) void this.#send(sent);
        }, BREATH);
        return;
      default:
        this.#fail(failure);
    }
  }

  /** The size is known when every byte is there. */
  async #finish(): Promise<void> {
    const { link, transfer } = this.options;
    while (this.#unacknowledged.length > 0) await this.#news();
    const digest = await this.#hash?.finish();
    if (this.#state !== "done") return;
    const end = { transfer, size: this.#offset, ...(digest ? { digest } : {}) };
    await retrying(
      () => link.ask("source:end", end),
      () => this.#state === "done",
    ).catch((error: unknown) => this.#fail(error));
  }

  /** Until an acknowledgement, more credit, or the end. */
  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #fail(error: unknown): void {
    if (this.#state === "over") return;
    this.close();
    this.options.failed(RoomdropError.from(error, "bad_reply", "The server's answer could not be read."));
  }
}
