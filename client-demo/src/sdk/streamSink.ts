/**
 * Hands the bytes on as they come, to whoever reads: a file in Node, a decoder, another request. Nothing more is
 * acknowledged than was read, and the stream ends only when all of it was checked; a transfer that fails breaks it
 * off. It refuses to hold anything: what was read is not there for `file()`, nor after a reload.
 */
import { StreamHash } from "./digest";
import { RoomdropError } from "./RoomdropError";
import type { Sink, SinkOpener } from "./Sink";

export interface StreamSink extends SinkOpener {
  /** The bytes of the one transfer that it is for. */
  readonly readable: ReadableStream<Uint8Array>;
}

/** For one transfer: accept it with this sink, and read `readable`. `{ digest: false }` leaves out the check. */
export function streamSink(options: { digest?: boolean } = {}): StreamSink {
  const pipe = new Pipe();
  let state: "unused" | "used" = "unused";
  return {
    kind: "stream",
    readable: pipe.readable,
    async open() {
      if (state === "used")
        throw new RoomdropError("sink_failed", "A stream takes one transfer; make another.");
      state = "used";
      return sinkInto(pipe, options.digest === false ? undefined : new StreamHash());
    },
  };
}

function sinkInto(pipe: Pipe, hash: StreamHash | undefined): Sink {
  return {
    held: 0,
    write(_offset, bytes) {
      hash?.take(bytes);
      return pipe.give(bytes);
    },
    async finish() {
      return { digest: await hash?.finish() };
    },
    done: () => pipe.end(),
    async file() {
      throw new RoomdropError("closed", "It was handed on as it came, and is not held.");
    },
    close: () => pipe.breakOff(),
    async discard() {
      pipe.breakOff();
    },
  };
}

interface Given {
  bytes: Uint8Array;
  taken: () => void;
  refused: (error: RoomdropError) => void;
}

/** From one who gives to one who reads; each giving waits until it was read. */
class Pipe {
  readonly readable: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #given: Given[] = [];
  #state: "open" | "over" = "open";
  #wanted: (() => void) | undefined;

  constructor() {
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#over("Nobody reads what comes any more."),
      },
      { highWaterMark: 0 },
    );
  }

  give(bytes: Uint8Array): Promise<void> {
    return new Promise((taken, refused) => {
      this.#given.push({ bytes, taken, refused });
      if (this.#state === "over") this.#over("Nobody reads what comes any more.");
      this.#wanted?.();
    });
  }

  end(): void {
    if (this.#state === "open") this.#controller?.close();
    this.#over("It has ended.");
  }

  breakOff(): void {
    const why = "The transfer broke off.";
    if (this.#state === "open") this.#controller?.error(new RoomdropError("closed", why));
    this.#over(why);
  }

  async #pull(): Promise<void> {
    while (this.#given.length === 0 && this.#state === "open") {
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
    const next = this.#given.shift();
    if (!next || this.#state === "over") return;
    this.#controller?.enqueue(next.bytes);
    next.taken();
  }

  #over(why: string): void {
    this.#state = "over";
    for (const { refused } of this.#given.splice(0)) refused(new RoomdropError("sink_failed", why));
    this.#wanted?.();
  }
}
