/**
 * Whether a link that looks alive is, asked when a page comes back: one question with little time to answer it, and a
 * new link when nobody does. It refuses to ask twice at once, and to renew what was renewed just now and had no time yet.
 */

/** Milliseconds that a living link has to answer. */
export const PATIENCE = 3000;

export interface Checked {
  /** Whether there is a link, as far as this side knows. */
  up(): boolean;
  /** Resolves with whether anyone answers within so many milliseconds. */
  answers(within: number): Promise<boolean>;
  /** Ends the link, if there is one, and makes another at once. */
  renew(): void;
}

export class LinkCheck {
  #state: "idle" | "checking" = "idle";
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly link: Checked,
    private readonly now: () => number = () => performance.now(),
  ) {}

  async check(): Promise<void> {
    if (this.#state === "checking" || this.now() - this.#renewedAt < PATIENCE) return;
    this.#state = "checking";
    const lives = this.link.up() && (await this.link.answers(PATIENCE));
    this.#state = "idle";
    if (lives) return;
    this.#renewedAt = this.now();
    this.link.renew();
  }
}
