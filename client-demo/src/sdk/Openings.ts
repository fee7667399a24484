/**
 * Opens sources and sinks, many with one word: whatever wants to be opened at the same moment goes together, so
 * that thousands of small files, or a lost link in the middle of them, cost a few words and not thousands in a
 * row. It refuses to let one that is refused harm those it was opened with.
 */
import type { Link } from "./Link";
import type { Opened, Pull, SinkOpened, SourceOpened } from "./protocol";
import { RoomdropError } from "./RoomdropError";

/** Tokens in one word: some 16 kB. */
const TOGETHER = 500;

type OpenEvent = "source:open" | "sink:open";

interface Wanted {
  token: string;
  /** What is pulled at once, of a sink. */
  first: Pull | undefined;
  resolve(opened: SourceOpened | SinkOpened): void;
  reject(error: unknown): void;
}

export class Openings {
  readonly #wanted: Record<OpenEvent, Wanted[]> = { "source:open": [], "sink:open": [] };

  constructor(private readonly link: Link) {}

  /** Opens a source; rejects as `link.ask` does. */
  source(token: string): Promise<SourceOpened> {
    return this.#want("source:open", token, undefined) as Promise<SourceOpened>;
  }

  /** Opens a sink, and pulls `first`; rejects as `link.ask` does. */
  sink(token: string, first?: Pull): Promise<SinkOpened> {
    return this.#want("sink:open", token, first) as Promise<SinkOpened>;
  }

  #want(event: OpenEvent, token: string, first: Pull | undefined): Promise<SourceOpened | SinkOpened> {
    return new Promise((resolve, reject) => {
      const wanted = this.#wanted[event];
      wanted.push({ token, first, resolve, reject });
      if (wanted.length === 1) queueMicrotask(() => this.#flush(event));
    });
  }

  #flush(event: OpenEvent): void {
    const all = this.#wanted[event];
    this.#wanted[event] = [];
    for (let index = 0; index < all.length; index += TOGETHER) {
      const some = all.slice(index, index + TOGETHER);
      const [only] = some;
      void (only && some.length === 1 ? this.#one(event, only) : this.#many(event, some));
    }
  }

  async #one(event: OpenEvent, { token, first, resolve, reject }: Wanted): Promise<void> {
    const lane = first ? { lane: first.lane, from: first.from, limit: first.limit } : {};
    try {
      const opened = await this.link.ask(event, { token, ...lane });
      if ("transfers" in opened) throw unread();
      resolve(opened);
    } catch (error) {
      reject(error);
    }
  }

  async #many(event: OpenEvent, some: readonly Wanted[]): Promise<void> {
    try {
      const answer = this.link.ask(event, { tokens: some.map(({ token }) => token) });
      // The server takes words in their order: what is pulled need not wait for the answer.
      for (const { first } of some) if (first) this.link.tell("pull", first);
      const opened = await answer;
      if (!("transfers" in opened)) throw unread();
      some.forEach((wanted, index) => {
        settle(wanted, opened.transfers[index]);
      });
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }
}

function settle(wanted: Wanted, one: Opened<SourceOpened | SinkOpened>["transfers"][number] | undefined) {
  if (!one) wanted.reject(unread());
  else if ("error" in one) wanted.reject(new RoomdropError(one.error, "The server does not open it."));
  else wanted.resolve(one);
}

function unread(): RoomdropError {
  return new RoomdropError("bad_reply", "The server's answer could not be read.");
}
