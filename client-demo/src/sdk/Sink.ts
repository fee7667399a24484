/**
 * Where received bytes go: the port behind `memorySink` and `opfsSink`, and behind whatever an application
 * brings. A sink is written from start to end without gaps; it says how much it already held when opened,
 * so that a transfer goes on where an earlier page left it.
 */
import type { Incoming } from "./Incoming";

/** What a sink is told about the file it is to hold. */
export interface SinkTarget {
  /** The transfer's id: letters, digits, `-` and `_`, so it is safe as a name for storage. */
  transfer: string;
  name: string;
  size: number | null;
  type: string;
}

/** What a sink says when all of it is durable. */
export interface Finished {
  /** The digest of the whole (`blake3:` and 64 hex digits), where it is known: compared with the sender's. */
  digest: string | undefined;
  /** The sink has itself proved that this is what was sent; then nothing more is compared. */
  verified?: boolean;
}

/** A place for one file. */
export interface Sink {
  /** Bytes from the start that were held when it was opened. */
  readonly held: number;

  /**
   * Takes the bytes at `offset`, which is where the last write ended; resolves once they are safely held.
   * Rejects with a `RoomdropError` (`no_space`, `sink_failed`). Takes ownership of `bytes`.
   */
  write(offset: number, bytes: Uint8Array): Promise<void>;

  /** All is written: makes it durable, and says the digest of the whole where that is known. */
  finish(): Promise<Finished>;

  /** The server knows that all is here, and no digest that is known differs. */
  done?(): void;

  /** The whole file, after `finish`. */
  file(): Promise<Blob>;

  /** Lets go of it; what is held stays, where the sink outlives the page. */
  close(): void;

  /** Forgets what is held. */
  discard(): Promise<void>;
}

/** Makes sinks; `accept` takes one. */
export interface SinkOpener {
  /** Names the kind in what is remembered across reloads. */
  readonly kind: string;
  open(target: SinkTarget): Promise<Sink>;
  /** What an earlier page finished; only kinds that outlive a page have it. */
  find?(target: SinkTarget): Pick<Sink, "file" | "discard"> | undefined;
}

/** A choice instead of a sink: the browser downloads the file by itself, over HTTP. */
export interface HttpDownload {
  readonly kind: "http";
  /** Whether it opens what is encrypted by itself, as a service worker can. Default `false`: such files are refused. */
  readonly opensSealed?: boolean;
  /** Starts it; `url` is absolute, and `name` the file's. `accept` says which transfer it is, too. */
  start(url: string, name: string, incoming?: Incoming): void;
}

export type SinkChoice = SinkOpener | HttpDownload;

/** Whether it is the browser's download and not a sink of ours. */
export function isHttpDownload(choice: SinkChoice): choice is HttpDownload {
  return choice.kind === "http";
}
