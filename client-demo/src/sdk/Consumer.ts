/**
 * Pulls one transfer into its sink and says when all of it is safely held. It refuses to call a transfer
 * done before the sink has made it durable and the server has heard so, and verified before the digest of the
 * whole was compared, which may be later: the sender computes it at its own pace.
 */

import { LaneNumbers } from "./LaneNumbers";
import type { Link } from "./Link";
import type { Openings } from "./Openings";
import type { Party } from "./Party";
import type { Chunk, End, SinkOpened, Status } from "./protocol";
import { RoomdropError } from "./RoomdropError";
import { retrying } from "./retrying";
import type { Finished, Sink, SinkOpener, SinkTarget } from "./Sink";
import { type LanePull, SinkLane } from "./SinkLane";

export interface ConsumerOptions {
  target: SinkTarget;
  /** The sink token. */
  token: string;
  opener: SinkOpener;
  link: Link;
  openings: Openings;
  /** The member this is, to find it among a status's receivers. */
  member: string;
  lanes?: LaneNumbers;
  /** More is safely held. */
  moved(held: number): void;
  /** Every byte is written; made durable, compared and reported from now on. */
  verifying(): void;
  /** All is held, durable, and known to the server. */
  done(sink: Sink): void;
  /** What was done is what was sent: the digests are equal, or the sink has proved it. After `done`. */
  verified(): void;
  /** It can't go on; what is held stays unless the digest was wrong. May come after `done`, for the digest. */
  failed(error: RoomdropError): void;
}

/** Milliseconds between two looks at the clock. */
const TICK = 100;

/**
 * - `waiting`: the sink is being opened, or the link is down.
 * - `receiving`: a lane is pulled, or about to be.
 * - `finishing`: all is written; being made durable.
 * - `reporting`: durable; the server is being told.
 * - `unverified`: done, and the sender's digest is not known yet.
 * - `ended`: done and compared, or not to be; failed, or closed.
 */
type Stage =
  | { name: "waiting" }
  | { name: "receiving" }
  | { name: "finishing" }
  | { name: "reporting"; finished: Finished }
  | { name: "unverified"; digest: string }
  | { name: "ended" };

export class Consumer implements Party {
  #stage: Stage = { name: "waiting" };
  #sink: Sink | undefined;
  #lane: SinkLane | undefined;
  readonly #lanes: LaneNumbers;
  /** Rises with every link and at the end: what was begun under an older one is void. */
  #era = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #excused = false;
  #expected: string | undefined;

  constructor(private readonly options: ConsumerOptions) {
    this.#lanes = options.lanes ?? new LaneNumbers();
  }

  /** Whether it stays a party after `done`, until the sender's digest is there. */
  get waitsForDigest(): boolean {
    return this.#stage.name === "unverified";
  }

  /** Opens the sink; to be called once, before it becomes a party. Rejects with what the sink says. */
  async prepare(): Promise<void> {
    const { opener, target } = this.options;
    const sink = await opener.open(target).catch((error: unknown) => {
      throw RoomdropError.from(error, "sink_failed", "The file could not be stored.");
    });
    if (this.#stage.name === "ended") {
      sink.close();
      return;
    }
    this.#sink = sink;
    this.#lane = new SinkLane(sink.held, target.size, this.#lanes);
    this.options.moved(sink.held);
  }

  linkUp(): void {
    const lane = this.#lane;
    if (!lane || this.#stage.name === "ended") return;
    this.linkDown();
    const era = this.#era;
    if (this.#stage.name === "waiting") this.#stage = { name: "receiving" };
    if (!this.waitsForDigest) this.#timer = setInterval(() => this.#tick(), TICK);
    retrying(
      () => this.#open(lane),
      () => era === this.#era,
    )
      .then((opened) => {
        if (opened && era === this.#era) this.#opened(opened);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  linkDown(): void {
    this.#era += 1;
    clearInterval(this.#timer);
    this.#lane?.close();
    if (this.#stage.name === "receiving") this.#stage = { name: "waiting" };
  }

  chunk(chunk: Chunk, bytes: Uint8Array): void {
    const lane = this.#lane;
    const sink = this.#sink;
    if (!lane || !sink || this.#stage.name !== "receiving") return;
    const taken = lane.take(chunk.lane, chunk.offset, bytes.byteLength, performance.now());
    if (taken.verdict === "gap") this.#pull(taken.next);
    if (taken.verdict !== "write") return;
    const end = chunk.offset + bytes.byteLength;
    sink.write(chunk.offset, bytes).then(
      () => this.#wrote(end),
      (error: unknown) => this.#fail(error),
    );
  }

  end({ size, digest }: End): void {
    this.#expect(digest);
    this.#lane?.sized(size);
    this.#finishIfWhole();
  }

  status(status: Status): void {
    const mine = status.receivers.find((receiver) => receiver.member === this.options.member);
    const excused = status.state === "paused" || status.state === "suspended" || mine?.state === "paused";
    if (this.#excused && !excused) this.#pull(this.#lane?.again(performance.now()));
    this.#excused = excused;
  }

  /** Stops; what is held stays for another time. Nothing is said to the server. */
  close(): void {
    if (this.#stage.name === "ended") return;
    const isDone = this.#stage.name === "unverified";
    this.linkDown();
    this.#stage = { name: "ended" };
    if (!isDone) this.#sink?.close();
  }

  /** Stops, and forgets what was held. */
  async discard(): Promise<void> {
    this.close();
    await this.#sink?.discard();
  }

  #open(lane: SinkLane): Promise<SinkOpened> {
    const { openings, target, token } = this.options;
    const first = this.#stage.name === "unverified" ? undefined : lane.start(performance.now());
    return openings.sink(token, first && { transfer: target.transfer, ...first });
  }

  #opened(opened: SinkOpened): void {
    this.#expect(opened.digest);
    if (opened.size !== null) this.#lane?.sized(opened.size);
    if (this.#stage.name === "reporting") void this.#report(this.#stage.finished);
    else this.#finishIfWhole();
  }

  #wrote(end: number): void {
    if (this.#stage.name === "ended" || !this.#lane) return;
    const next = this.#lane.wrote(end, performance.now());
    this.options.moved(end);
    this.#pull(next);
    this.#finishIfWhole();
  }

  #tick(): void {
    if (this.#stage.name !== "receiving") return;
    this.#pull(this.#lane?.tick(performance.now(), !this.#excused));
  }

  #pull(pull: LanePull | undefined): void {
    if (pull) this.options.link.tell("pull", { transfer: this.options.target.transfer, ...pull });
  }

  #finishIfWhole(): void {
    const sink = this.#sink;
    if (!this.#lane?.whole || !sink) return;
    if (this.#stage.name !== "receiving" && this.#stage.name !== "waiting") return;
    this.#lane.close();
    this.#stage = { name: "finishing" };
    this.options.verifying();
    sink.finish().then(
      (finished) => {
        if (this.#stage.name !== "finishing") return;
        this.#stage = { name: "reporting", finished };
        void this.#report(finished);
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** Tells the server; without a link, it is told when the link is up again. */
  async #report(finished: Finished): Promise<void> {
    const { link, target } = this.options;
    const { digest } = finished;
    const era = this.#era;
    if (this.#differs(digest)) {
      // Said to the server as well, which marks this receiver as failed.
      link.tell("sink:done", { transfer: target.transfer, ...(digest ? { digest } : {}) });
      this.#fail(mismatch());
      return;
    }
    if (!link.up) return;
    const said = digest ? { transfer: target.transfer, digest } : { transfer: target.transfer };
    try {
      const heard = await retrying(
        () => link.ask("sink:done", said),
        () => era === this.#era,
      );
      if (heard) this.#done(finished);
    } catch (error) {
      this.#fail(error);
    }
  }

  #done({ digest, verified }: Finished): void {
    if (this.#stage.name === "ended" || !this.#sink) return;
    if (this.#differs(digest)) {
      this.#fail(mismatch());
      return;
    }
    clearInterval(this.#timer);
    const proved = verified || (digest !== undefined && digest === this.#expected);
    if (!proved && digest) this.#stage = { name: "unverified", digest };
    else this.#end();
    this.#sink.done?.();
    this.options.done(this.#sink);
    if (proved) this.options.verified();
  }

  /** Two digests can be compared only when they are of the same algorithm. */
  #expect(digest: string | undefined): void {
    if (!digest?.startsWith("blake3:")) return;
    this.#expected = digest;
    if (this.#stage.name !== "unverified") return;
    if (this.#differs(this.#stage.digest)) {
      this.#fail(mismatch());
      return;
    }
    this.#end();
    this.options.verified();
  }

  #differs(digest: string | undefined): boolean {
    return digest !== undefined && this.#expected !== undefined && digest !== this.#expected;
  }

  #end(): void {
    this.linkDown();
    this.#stage = { name: "ended" };
  }

  #fail(error: unknown): void {
    // What is done stays done; only its digest can still be wrong.
    const failure = RoomdropError.from(error, "sink_failed", "The file could not be stored.");
    const isWrong = failure.code === "digest_mismatch";
    if (this.#stage.name === "ended" || (this.waitsForDigest && !isWrong)) return;
    this.close();
    // Wrong bytes must not be gone on from.
    if (isWrong) void this.#sink?.discard().catch(() => undefined);
    this.options.failed(failure);
  }
}

/** What it means that two digests differ. */
export function mismatch(): RoomdropError {
  return new RoomdropError("digest_mismatch", "What arrived is not what was sent; accept it again.");
}
