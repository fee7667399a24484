/**
 * Every failure the SDK reports: a stable `code` to decide by, and a sentence that says what to do. The
 * server's codes come from the generated protocol; those that only a client can meet are listed here.
 */
import type { ErrorCode } from "./protocol";

/** What can go wrong on this side of the wire alone. */
export type LocalErrorCode =
  | "disconnected" // the link is down; it comes back by itself
  | "timeout" // the server did not answer in time
  | "unauthorized" // the server wants a (better) sign-in
  | "bad_reply" // what came is not the protocol
  | "file_changed" // the chosen file can no longer be read, or is not what it was
  | "file_refused" // the browser, or the person it asked, does not let the file be read
  | "file_mismatch" // none of the files chosen again is the one that was offered
  | "no_space" // the browser gives no more room to store what comes
  | "no_opfs" // this browser, or an address without https, has no private file system
  | "sink_failed" // what came could not be stored
  | "bad_secret" // the secret in the link is not whole
  | "no_crypto" // the room is encrypted, and this browser encrypts only over https
  | "sealed" // it is encrypted, and can't be had in this way
  | "seal_broken" // what came is not what was encrypted with the room's secret
  | "fell_behind" // an iteration did not take its events for too long
  | "closed"; // the room was left

export type AnyErrorCode = ErrorCode | LocalErrorCode;

export class RoomdropError extends Error {
  override readonly name = "RoomdropError";

  constructor(
    /** A stable snake_case name. */
    readonly code: AnyErrorCode,
    /** A sentence for people. */
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** `error` itself if it is one of ours, else wrapped under `code`. */
  static from(error: unknown, code: AnyErrorCode, message: string): RoomdropError {
    return error instanceof RoomdropError ? error : new RoomdropError(code, message, { cause: error });
  }

  /** Whether the same request may succeed later without anyone changing anything. */
  get passing(): boolean {
    return PASSING.has(this.code);
  }
}

const PASSING: ReadonlySet<AnyErrorCode> = new Set([
  "disconnected",
  "timeout",
  "rate_limited",
  "overloaded",
  "internal",
]);
