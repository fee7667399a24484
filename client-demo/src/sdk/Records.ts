/**
 * What outlives a reload: the member's key, and each transfer's token. One entry for each, so that a room
 * with thousands of transfers does not rewrite them all at every change. It refuses to fail: a browser that
 * stores nothing only loses the resuming after a reload.
 */

/** What `localStorage` and `sessionStorage` have in common with anything else that may take their place. */
export interface RecordStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** This side of a transfer that it sends. */
export interface SourceRecord {
  token: string;
  /** To recognise the file when it is chosen again. */
  name: string;
  size: number;
  modified?: number;
  /** Of its content, once computed. */
  fingerprint?: string;
  /** Whether its handle is kept, too. */
  handle?: boolean;
}

/** This side of a transfer that it receives. */
export interface SinkRecord {
  token: string;
  /** Path of the HTTP download. */
  url: string;
  /** The sink opener's kind, or `http`. */
  kind: string;
  done: boolean;
  /** Whether it was compared with what was sent. */
  verified?: boolean;
}

/** A URL that the server downloads for this member. */
export interface FetchRecord {
  url: string;
  name?: string;
  keep?: boolean;
}

interface Shapes {
  me: { key: string };
  source: SourceRecord;
  sink: SinkRecord;
  fetch: FetchRecord;
}

export class Records {
  readonly #prefix: string;
  /** What this page has set itself, so that it needs no storage for its own lifetime. */
  readonly #here = new Map<string, string>();

  /** `scope` sets servers apart, `room` rooms; without a `storage` nothing is remembered. */
  constructor(
    private readonly storage: RecordStorage | undefined,
    scope: string,
    room: string,
  ) {
    this.#prefix = `roomdrop|${scope}|${room}|`;
  }

  /** Whether anything is remembered after a reload. */
  get lasting(): boolean {
    return this.storage !== undefined;
  }

  get<S extends keyof Shapes>(shape: S, id = ""): Shapes[S] | undefined {
    const key = this.#key(shape, id);
    try {
      const text = this.#here.get(key) ?? this.storage?.getItem(key);
      return text ? (JSON.parse(text) as Shapes[S]) : undefined;
    } catch {
      return undefined;
    }
  }

  set<S extends keyof Shapes>(shape: S, id: string, value: Shapes[S]): void {
    const text = JSON.stringify(value);
    this.#here.set(this.#key(shape, id), text);
    try {
      this.storage?.setItem(this.#key(shape, id), text);
    } catch {
      // Full, or forbidden: see above.
    }
  }

  remove(shape: keyof Shapes, id: string): void {
    this.#here.delete(this.#key(shape, id));
    try {
      this.storage?.removeItem(this.#key(shape, id));
    } catch {
      // Forbidden: then it was never set.
    }
  }

  /** Every record of this shape, by its id. */
  all<S extends keyof Shapes>(shape: S): [string, Shapes[S]][] {
    const prefix = this.#key(shape, "");
    const ids = new Set([...this.#here.keys(), ...this.#kept()].filter((key) => key.startsWith(prefix)));
    return [...ids].flatMap((key) => {
      const id = key.slice(prefix.length);
      const record = this.get(shape, id);
      return record ? [[id, record] as [string, Shapes[S]]] : [];
    });
  }

  /** Forgets the transfers for which `known` says no: the server has forgotten them too. */
  keepOnly(known: (transfer: string) => boolean): void {
    for (const key of this.#kept()) {
      const [shape, id] = key.startsWith(this.#prefix) ? key.slice(this.#prefix.length).split("|") : [];
      if (id && (shape === "source" || shape === "sink") && !known(id)) this.storage?.removeItem(key);
    }
  }

  /** The keys of all that is stored, others' too; none where that is forbidden. */
  #kept(): string[] {
    try {
      const { storage } = this;
      return Array.from({ length: storage?.length ?? 0 }, (_, index) => storage?.key(index) ?? "");
    } catch {
      return [];
    }
  }

  #key(shape: keyof Shapes, id: string): string {
    return `${this.#prefix}${shape}|${id}`;
  }
}

/** The tab's own storage, so that two tabs are two members; nothing where the browser forbids it. */
export function tabStorage(): RecordStorage | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}
