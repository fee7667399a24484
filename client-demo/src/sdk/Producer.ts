/**
 * Serves the pulls of one transfer from its source: several lanes at once, each from its own offset up to
 * its limit, with several chunks in flight. It refuses to send what was not asked for, and stays after the
 * last byte, since someone may accept late.
 */
import { breathe } from "./breathe";
import { ChunkSize, KIB } from "./ChunkSize";
import type { Link } from "./Link";
import type { Openings } from "./Openings";
import type { Party } from "./Party";
import type { Pull, Stop } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { retrying } from "./retrying";
import type { Source } from "./Source";
import { SourceLane } from "./SourceLane";

export interface ProducerOptions {
  transfer: string;
  /** The source token. */
  token: string;
  source: Source;
  link: Link;
  openings: Openings;
  /** Whether to compute and send the whole file's digest. */
  digest: boolean;
  /** It ended: refused by the server, or the source could not be read. */
  failed(error: RoomdropError): void;
}

/** As many times the paced size may wait for its acknowledgement on one lane: enough to fill a long link. */
const IN_FLIGHT = 4;
/** Bytes of one chunk at most: a browser takes so many in its stride, and is held up by more at once. */
const PIECE = 256 * KIB;
/** Milliseconds without an acknowledgement after which the size shrinks. */
const QUIET = 1000;
/** Milliseconds before a chunk is tried again that the server had no room for. */
const BREATH = 1000;

interface Running {
  lane: SourceLane;
  /** Bytes that are not acknowledged. */
  inFlight: number;
  /** When the last acknowledgement came, or the first of those that are awaited was sent. */
  heardAt: number;
  quiet?: ReturnType<typeof setInterval>;
  /** Wakes the loop that waits for credit or for an acknowledgement. */
  wake: () => void;
}

type Digest =
  | { name: "unknown" }
  | { name: "computing" }
  | { name: "known"; digest: string }
  | { name: "told" };

export class Producer implements Party {
  readonly #lanes = new Map<number, Running>();
  readonly #size = new ChunkSize();
  /** Rises with every link and at the end: what was begun under an older one is void. */
  #era = 0;
  #ended = false;
  #digest: Digest = { name: "unknown" };

  constructor(private readonly options: ProducerOptions) {}

  linkUp(): void {
    this.linkDown();
    const era = this.#era;
    const { openings, token } = this.options;
    retrying(
      () => openings.source(token),
      () => era === this.#era && !this.#ended,
    )
      .then((opened) => {
        if (opened) this.#size.bound(opened.chunk);
        if (opened && era === this.#era) void this.#tellDigest();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  linkDown(): void {
    this.#era += 1;
    for (const running of this.#lanes.values()) this.#end(running);
    this.#lanes.clear();
  }

  /** Serves no more; nothing is said to the server. */
  close(): void {
    this.#ended = true;
    this.linkDown();
    this.options.source.close?.();
  }

  pull({ lane, from, limit }: Pull): void {
    if (this.#ended) return;
    const known = this.#lanes.get(lane);
    if (known) {
      known.lane.pulled(from, limit);
      known.wake();
      return;
    }
    const running: Running = {
      lane: new SourceLane(lane, from, limit),
      inFlight: 0,
      heardAt: 0,
      wake: () => undefined,
    };
    this.#lanes.set(lane, running);
    void this.#serve(running);
  }

  stop({ lane }: Stop): void {
    const running = this.#lanes.get(lane);
    this.#lanes.delete(lane);
    if (running) this.#end(running);
  }

  async #serve(running: Running): Promise<void> {
    const { lane } = running;
    while (lane.state !== "stopped") {
      const len = this.#next(running);
      if (len === 0) {
        await new Promise<void>((resolve) => {
          running.wake = resolve;
        });
        continue;
      }
      const { next: offset, run } = lane;
      const bytes = await this.#read(offset, len);
      if (!bytes) return;
      // While it was read, the lane may have been stopped, or started again from elsewhere.
      if (lane.state !== "serving" || lane.run !== run) continue;
      lane.sent(len);
      void this.#send(running, offset, run, bytes);
      await breathe();
    }
  }

  /** Bytes of the next chunk; 0 means: wait. */
  #next({ lane, inFlight }: Running): number {
    if (inFlight >= IN_FLIGHT * this.#size.size) return 0;
    return Math.min(PIECE, this.#size.next(lane.credit(this.options.source.size), inFlight));
  }

  #quiet({ heardAt }: Running): void {
    if (performance.now() - heardAt >= QUIET) this.#size.secondWithoutAcknowledgement();
  }

  async #read(offset: number, len: number): Promise<Uint8Array | undefined> {
    try {
      return await this.options.source.read(offset, len);
    } catch (error) {
      const failure = RoomdropError.from(error, "file_changed", "The file could not be read.");
      this.options.link.tell("source:fail", { transfer: this.options.transfer, reason: failure.message });
      this.#fail(failure);
      return undefined;
    }
  }

  async #send(running: Running, offset: number, run: number, bytes: Uint8Array): Promise<void> {
    const { link, transfer } = this.options;
    const { lane } = running;
    const sentAt = performance.now();
    if (running.inFlight === 0) {
      running.heardAt = sentAt;
      running.quiet = setInterval(() => this.#quiet(running), QUIET);
    }
    running.inFlight += bytes.byteLength;
    try {
      await link.ask("chunk", { transfer, lane: lane.lane, offset }, bytes);
      running.heardAt = performance.now();
      this.#size.acknowledged(running.heardAt - sentAt);
      if (offset + bytes.byteLength === this.options.source.size) this.#askDigest();
    } catch (error) {
      this.#refused(running, offset, run, error);
    } finally {
      running.inFlight -= bytes.byteLength;
      if (running.inFlight === 0) clearInterval(running.quiet);
      running.wake();
    }
  }

  #refused(running: Running, offset: number, run: number, error: unknown): void {
    const failure = RoomdropError.from(error, "bad_reply", "The server's answer could not be read.");
    const { lane } = running;
    switch (failure.code) {
      case "disconnected": // `linkDown` ends the lane
        return;
      case "rate_limited":
      case "overloaded":
        lane.refused(run);
        setTimeout(() => {
          if (lane.state !== "refused" || lane.run !== run) return;
          lane.again(offset);
          running.wake();
        }, BREATH);
        return;
      case "transfer_not_found":
      case "transfer_closed":
      case "not_allowed":
      case "expired":
        this.#fail(failure);
        return;
      default: // the server pulls again where it wants to go on
        lane.refused(run);
    }
  }

  /** Once the last byte is through: by then the source knows it, where it was read in order. */
  #askDigest(): void {
    const { source, digest } = this.options;
    if (!digest || !source.digest || this.#digest.name !== "unknown") return;
    this.#digest = { name: "computing" };
    source.digest().then(
      (known) => {
        if (known) this.#digest = { name: "known", digest: known };
        void this.#tellDigest();
      },
      () => undefined, // a file that can't be read shows when its bytes are asked for
    );
  }

  async #tellDigest(): Promise<void> {
    if (this.#digest.name !== "known" || this.#ended || !this.options.link.up) return;
    const { digest } = this.#digest;
    const said = { transfer: this.options.transfer, digest };
    // Not told now, it is told when the link is up again.
    await this.options.link.ask("source:end", said).then(
      () => {
        this.#digest = { name: "told" };
      },
      () => undefined,
    );
  }

  #end(running: Running): void {
    running.lane.stop();
    running.wake();
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.close();
    this.options.failed(RoomdropError.from(error, "bad_reply", "The server's answer could not be read."));
  }
}
