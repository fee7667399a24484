/**
 * What is about to be offered: files gathered so far, which a person may add to and take from before anything
 * is sent. It holds no more than one drop may, and no file twice; small pictures of the first few pictures are
 * made while the person looks on.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { GatheredFile } from "./gather";
import { previewOf } from "./preview";
import { MOST_FILES } from "./walk";

export interface Staged extends GatheredFile {
  id: number;
  preview?: Blob;
}

export interface Added {
  files: Staged[];
  /** How many there was no room for. */
  over: number;
  /** How many were there already. */
  same: number;
}

/** Pictures of one drop that get a preview, and the bytes that all of them may have on the wire. */
export const MOST_PREVIEWS = 8;
const PREVIEW_BYTES = 64 * 1024;

const staged = signal<readonly Staged[]>([]);
/** Files whose picture is made or could not be: none is tried twice. */
const tried = new Set<number>();
let lastId = 0;

export const tray: ReadonlySignal<readonly Staged[]> = computed(() => staged.value);

export const trayTotal: ReadonlySignal<{ files: number; bytes: number }> = computed(() => ({
  files: staged.value.length,
  bytes: staged.value.reduce((sum, { file }) => sum + file.size, 0),
}));

/** Adds files; says how many of them there was no room for, and how many were in it already. */
export function addToTray(files: readonly GatheredFile[]): Omit<Added, "files"> {
  const { over, same, files: fresh } = add(staged.value, files, () => ++lastId);
  if (fresh.length > 0) staged.value = [...staged.value, ...fresh];
  void makePreviews();
  return { over, same };
}

export function removeFromTray(id: number): void {
  staged.value = staged.value.filter((one) => one.id !== id);
  void makePreviews();
}

export function clearTray(): void {
  staged.value = [];
  tried.clear();
}

/** What of `files` is new to `tray` and has room in it. */
export function add(
  tray: readonly Staged[],
  files: readonly GatheredFile[],
  nextId: () => number,
  most = MOST_FILES,
): Added {
  const known = new Set(tray.map(sameness));
  const fresh: Staged[] = [];
  let [over, same] = [0, 0];
  for (const one of files) {
    if (known.has(sameness(one))) same += 1;
    else if (tray.length + fresh.length >= most) over += 1;
    else {
      known.add(sameness(one));
      fresh.push({ ...one, id: nextId() });
    }
  }
  return { files: fresh, over, same };
}

/** The next file that should have a preview, while there is room for one more. */
export function nextPreview(tray: readonly Staged[], tried: ReadonlySet<number>): Staged | undefined {
  const made = tray.flatMap(({ preview }) => preview ?? []);
  const bytes = made.reduce((sum, { size }) => sum + textSize(size), 0);
  if (made.length >= MOST_PREVIEWS || bytes >= PREVIEW_BYTES - textSize(4096)) return undefined;
  return tray.find(({ id, file }) => file.type.startsWith("image/") && !tried.has(id));
}

let making = false;

/** One at a time, so that a hundred pictures are no harder on the machine than one. */
async function makePreviews(): Promise<void> {
  if (making) return;
  making = true;
  for (let next = nextPreview(staged.value, tried); next; next = nextPreview(staged.value, tried)) {
    const { id } = next;
    tried.add(id);
    const preview = await previewOf(next.file);
    if (!preview) continue;
    staged.value = staged.value.map((one) => (one.id === id ? { ...one, preview } : one));
  }
  making = false;
}

/** A file is known by where it lies, its size and when it was changed. */
function sameness({ file, path }: GatheredFile): string {
  return JSON.stringify([path, file.name, file.size, file.lastModified]);
}

/** Characters of `bytes` in base64. */
function textSize(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}
