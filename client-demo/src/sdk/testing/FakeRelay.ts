/**
 * The server's `/transfers` for one transfer with one source and one sink, as strict as the protocol
 * reference: it refuses every chunk that was not asked for, and takes no sink's word before all was sent.
 * For tests; it can lose chunks and be told to stop answering.
 */
import type { Asks } from "../events";
import { Parties } from "../Parties";
import type { Chunk, Pull, SinkDone, SinkOpen } from "../protocol";
import { RoomdropError } from "../RoomdropError";
import { FakeLink } from "./FakeLink";

export const TRANSFER = "t1";

interface Lane {
  lane: number;
  next: number;
  limit: number;
}

export class FakeRelay {
  readonly source = new FakeLink((event, say, bytes) => this.#fromSource(event, say, bytes));
  readonly sink = new FakeLink((event, say) => this.#fromSink(event, say));
  readonly sources = new Parties(this.source);
  readonly sinks = new Parties(this.sink);
  /** Every pull of the sink, in order. */
  readonly pulls: Pull[] = [];
  /** Every chunk that was taken in: its length. */
  readonly chunks: number[] = [];
  /** Digests and words that were said. */
  readonly said: { event: string; say: unknown }[] = [];
  done: SinkDone | undefined;
  refusals = 0;
  /** Offsets whose chunk is lost between relay and sink, once each. */
  readonly lose = new Set<number>();
  /** Called with every chunk on its way to the sink. */
  onChunk: (offset: number, end: number) => void = () => undefined;
  /** Milliseconds, or a promise, before a chunk is acknowledged. */
  beforeAck: () => Promise<void> = async () => undefined;
  #lane: Lane | undefined;

  constructor(
    private readonly size: number,
    private readonly window = 8 * 1024 * 1024,
  ) {}

  up(side: "source" | "sink"): void {
    this[side].up = true;
    this[`${side}s`].linkUp();
  }

  cut(side: "source" | "sink"): void {
    this[side].cut();
    this[`${side}s`].linkDown();
  }

  async #fromSource(event: keyof Asks, say: unknown, bytes?: Uint8Array): Promise<unknown> {
    this.said.push({ event, say });
    if (event === "source:open") {
      if (this.#lane) this.#ask(this.#lane, this.#lane.next);
      return { transfer: TRANSFER, size: this.size, chunk: { min: 100 * 1024, max: 5 * 1024 * 1024 } };
    }
    if (event !== "chunk" || !bytes) return {};
    const received = this.#chunk(say as Chunk, bytes);
    await this.beforeAck();
    return { received };
  }

  #chunk(chunk: Chunk, bytes: Uint8Array): number {
    const lane = this.#lane;
    const end = chunk.offset + bytes.byteLength;
    if (!lane || chunk.lane !== lane.lane || chunk.offset !== lane.next || end > lane.limit) {
      this.refusals += 1;
      throw new RoomdropError("unexpected_chunk", "not asked for");
    }
    lane.next = end;
    this.chunks.push(bytes.byteLength);
    this.onChunk(chunk.offset, end);
    if (!this.lose.delete(chunk.offset)) this.sink.hear("chunk", chunk, bytes);
    return end;
  }

  async #fromSink(event: keyof Asks, say: unknown): Promise<unknown> {
    if (event === "sink:open") {
      const { lane, from = 0, limit } = say as SinkOpen;
      if (lane !== undefined) this.#pull({ transfer: TRANSFER, lane, from, limit: limit ?? from });
      const facts = { transfer: TRANSFER, name: "a", size: this.size, type: "text/plain" };
      return { ...facts, state: "active" };
    }
    if (event === "pull") this.#pull(say as Pull);
    if (event === "sink:done") this.done = say as SinkDone;
    return {};
  }

  #pull(pull: Pull): void {
    this.pulls.push(pull);
    const limit = Math.min(pull.limit, pull.from + this.window);
    const known = this.#lane;
    if (known && pull.lane < known.lane) return;
    if (known?.lane === pull.lane) {
      known.limit = Math.max(known.limit, limit);
      this.#ask(known, pull.from);
      return;
    }
    if (known) this.source.hear("stop", { transfer: TRANSFER, lane: known.lane });
    this.#lane = { lane: pull.lane, next: pull.from, limit };
    this.#ask(this.#lane, pull.from);
  }

  #ask({ lane, limit }: Lane, from: number): void {
    this.source.hear("pull", { transfer: TRANSFER, lane, from, limit });
  }
}
