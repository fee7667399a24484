/** One URL that the server downloads for this member, as the application sees it. `Fetches` keeps it up to date. */
import type { FetchProgress, ResourceId, TransferId } from "./protocol";
import type { RoomdropError } from "./RoomdropError";
import type { Progress } from "./Transfer";

/**
 * - `starting`: the server asks the origin what it has.
 * - `offered`: it is a drop in the room; its bytes come as they are accepted, or kept.
 * - `complete`: everyone who accepted has all of it.
 * - `stopped`: by this member.
 * - `failed`: `error` says why.
 */
export type FetchStage = "starting" | "offered" | "complete" | "stopped" | "failed";

export interface FetchOptions {
  /** The file's name. Default: the origin's. */
  name?: string;
  /** Whether the server is to keep a copy. Default `false`. */
  keep?: boolean;
  /** Aborted, then or later, it is stopped. */
  signal?: AbortSignal;
}

export class Fetch {
  stage: FetchStage = "starting";
  /** Its transfer, once it is a drop. */
  transfer: TransferId | undefined;
  /** Why it failed. */
  error: RoomdropError | undefined;
  #name: string | undefined;
  #told: FetchProgress | undefined;

  constructor(
    readonly resource: ResourceId,
    readonly url: string,
    readonly options: Omit<FetchOptions, "signal">,
  ) {
    this.#name = options.name;
  }

  /** The file's name, or the URL while it is not known. */
  get name(): string {
    return this.#name ?? this.url;
  }

  /** Whether nothing follows. */
  get final(): boolean {
    return this.stage === "complete" || this.stage === "stopped" || this.stage === "failed";
  }

  /** How much came from the origin, how fast, and how much longer. */
  get progress(): Progress {
    const told = this.#told;
    return {
      done: told?.received ?? 0,
      size: told?.size ?? null,
      bytesPerSecond: this.final ? 0 : (told?.bytesPerSecond ?? 0),
      secondsLeft: this.final ? null : (told?.etaSeconds ?? null),
    };
  }

  /** What `fetch:progress` says. */
  fold(told: FetchProgress): void {
    this.#told = told;
    this.#name = told.name;
  }

  /** What `fetch:complete` or `fetch:failed` says. */
  end(stage: "complete" | "stopped" | "failed", name: string, error?: RoomdropError): void {
    this.stage = stage;
    this.#name = name;
    this.error = error;
    const told = this.#told;
    if (stage === "complete" && told?.size) this.#told = { ...told, received: told.size };
  }
}
