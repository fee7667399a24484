/**
 * Bytes that come while they are sent, and come once: a microphone, a growing file, whatever is a stream. Read no
 * faster than they are asked for. It refuses to go back: what was handed out and is needed again, whoever asked
 * has kept.
 */

/** What can be sent live. */
export type LiveBytes = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** A stream to offer; its size is known when it has ended. */
export interface LiveFile {
  stream: LiveBytes;
  name: string;
  /** Its media type, such as `audio/webm;codecs=opus`: what players go by. */
  type?: string;
  /** The folder to offer it in (`a/b`, without a leading slash). */
  path?: string;
}

export function isLive(given: object): given is LiveFile {
  return "stream" in given && typeof given.stream === "object";
}

export class LiveSource {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: LiveBytes) {
    this.#pieces = Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : pieces(stream);
  }

  /** The next bytes, at least one and at most `most`; nothing at the end. Rejects as the stream does. */
  async next(most: number): Promise<Uint8Array | undefined> {
    while (this.#rest.byteLength === 0) {
      const { done, value } = await this.#pieces.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const bytes = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(bytes.byteLength);
    return bytes;
  }

  /** Wants no more: a microphone is let go of. */
  close(): void {
    void Promise.resolve(this.#pieces.return?.()).catch(() => undefined);
  }
}

/** Not every browser iterates its streams by itself. */
async function* pieces(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
