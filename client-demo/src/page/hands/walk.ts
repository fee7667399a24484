/**
 * From what a person gave to files with their folders: trees are walked many at a time, in the order of their
 * names, and what can't be read is named and left out while the rest goes on. It knows nothing of the browser's
 * two ways to hand over folders; `gather.ts` brings both into one shape. It refuses to go on without end.
 */
import { fitFile, wirePath } from "./names";

/** A file, or a folder that is looked into when its turn comes. */
export type Node =
  | { kind: "file"; name: string; handle?: FileSystemFileHandle; file(): Promise<File> }
  | { kind: "folder"; name: string; inside(): Promise<Node[]> };

/** A file as it was given, and the folder it lies in (`a/b`; empty when there is none). */
export interface GatheredFile {
  file: File;
  path: string;
  /** What finds the file again after a reload, where the browser has it. */
  handle?: FileSystemFileHandle;
}

export interface Gathered {
  files: readonly GatheredFile[];
  /** Names of files and folders that could not be read, with their folders. */
  unreadable: readonly string[];
  /** Whether there was more than one drop can hold; it is not among `files`. */
  more: boolean;
  /** Text that was given instead of files. */
  text?: string;
}

/** Files in one drop, at most: as many as servers take. */
export const MOST_FILES = 10_000;
/** Names of what could not be read; beyond that, nobody reads them. */
const MOST_NAMED = 100;
/** Folders within folders. */
const DEEPEST = 64;
/** Files and folders that are asked for at once. */
const AT_ONCE = 32;

/** The files of `nodes` and of all folders in them. */
export async function walk(nodes: readonly Node[], most = MOST_FILES): Promise<Gathered> {
  return new Walk(most).from(nodes);
}

class Walk {
  #taken = 0;
  #more = false;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #unreadable: string[] = [];

  constructor(private readonly most: number) {}

  async from(nodes: readonly Node[]): Promise<Gathered> {
    const files = await this.#all(nodes, []);
    return { files, unreadable: this.#unreadable, more: this.#more };
  }

  async #all(nodes: readonly Node[], folders: readonly string[]): Promise<GatheredFile[]> {
    const lists = await Promise.all([...nodes].sort(byName).map((node) => this.#one(node, folders)));
    return lists.flat();
  }

  async #one(node: Node, folders: readonly string[]): Promise<GatheredFile[]> {
    if (this.#more) return [];
    const inside = [...folders, node.name];
    try {
      if (node.kind === "file") return await this.#file(node, folders);
      if (inside.length > DEEPEST) throw new Error("too deep");
      return await this.#all(await this.#inTurn(() => node.inside()), inside);
    } catch {
      if (this.#unreadable.length < MOST_NAMED) this.#unreadable.push(inside.join("/"));
      return [];
    }
  }

  async #file(node: Node & { kind: "file" }, folders: readonly string[]): Promise<GatheredFile[]> {
    if (this.#taken >= this.most) {
      this.#more = true;
      return [];
    }
    this.#taken += 1;
    const { handle } = node;
    try {
      const file = fitFile(await this.#inTurn(() => node.file()));
      return [{ file, path: wirePath(folders), ...(handle ? { handle } : {}) }];
    } catch (error) {
      this.#taken -= 1;
      throw error;
    }
  }

  /** Only so many at once: a disk is no faster for being asked for everything. */
  async #inTurn<Value>(what: () => Promise<Value>): Promise<Value> {
    if (this.#running >= AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#running += 1;
    try {
      return await what();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

const ORDER = new Intl.Collator(undefined, { numeric: true });

function byName(one: Node, other: Node): number {
  return ORDER.compare(one.name, other.name);
}
