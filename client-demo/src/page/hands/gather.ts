/**
 * Files as a person gives them to the page: dropped, pasted or chosen, folders with all that is in them. Where
 * the browser hands out handles they are kept, since they find a file again after a reload. Giving nothing is
 * no fault; what can't be read is named, and the rest is taken.
 */
import { fitFile, foldersOf, renamed, wirePath } from "./names";
import { type Gathered, MOST_FILES, type Node, walk } from "./walk";

export type { Gathered, GatheredFile } from "./walk";
export { MOST_FILES } from "./walk";

const NOTHING: Gathered = { files: [], unreadable: [], more: false };

/** What was dropped. To be called while the event is being handled: afterwards it is gone. */
export function fromDrop(data: DataTransfer): Promise<Gathered> {
  return given(data);
}

/**
 * What was pasted; as `fromDrop`. Pictures of the clipboard, which browsers call `image.png`, get `word` and the
 * time as their name.
 */
export async function fromPaste(data: DataTransfer, word: string, now = new Date()): Promise<Gathered> {
  const gathered = await given(data);
  const files = gathered.files.map((one) => ({ ...one, file: named(one.file, word, now) }));
  return { ...gathered, files };
}

/** Files whose dates are asked for in one step of `dated`: a browser looks each up on the disk, a quarter of a millisecond. */
const DATES_AT_ONCE = 100;

/** The same files, each with its date at hand, so that whoever asks for thousands of them does not hold the page up. */
export async function dated({ files, ...rest }: Gathered): Promise<Gathered> {
  for (const [index, { file }] of files.entries()) {
    if (index % DATES_AT_ONCE === DATES_AT_ONCE - 1) await new Promise((resume) => setTimeout(resume));
    Number(file.lastModified); // asking is enough: from now on it is known
  }
  return { files, ...rest };
}

/** What an `<input type="file">` holds, with folders where it was asked for one. */
export function fromChooser(list: FileList | null): Gathered {
  const files = [...(list ?? [])];
  const taken = files.slice(0, MOST_FILES).map((file) => ({
    file: fitFile(file),
    path: wirePath(foldersOf(file.webkitRelativePath)),
  }));
  return { files: taken, unreadable: [], more: files.length > MOST_FILES };
}

/** Has the person choose files. To be called from a click. */
export async function choose(): Promise<Gathered> {
  if (typeof window.showOpenFilePicker !== "function") return chosenByInput({ folder: false });
  const handles = await picked(() => window.showOpenFilePicker({ multiple: true }));
  return handles === "forbidden" ? chosenByInput({ folder: false }) : walk(handles.map(nodeOfHandle));
}

/** Has the person choose a folder. To be called from a click. */
export async function chooseFolder(): Promise<Gathered> {
  if (typeof window.showDirectoryPicker !== "function") return chosenByInput({ folder: true });
  const handles = await picked(async () => [await window.showDirectoryPicker({ mode: "read" })]);
  return handles === "forbidden" ? chosenByInput({ folder: true }) : walk(handles.map(nodeOfHandle));
}

/** Text as a file, for what is too long to be said. */
export function textAsFile(text: string, word: string, now = new Date()): Gathered {
  const file = new File([text], `${word} ${stamp(now)}.txt`, {
    type: "text/plain",
    lastModified: now.getTime(),
  });
  return { ...NOTHING, files: [{ file, path: "" }] };
}

/** `2026-11-21 17.22.23`, of the person's own clock; no colons, which some disks refuse. */
export function stamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  return `${day} ${[now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(".")}`;
}

/** A picture of the clipboard under a name of its own; any other file as it is. */
export function named(file: File, word: string, now: Date): File {
  const extension = /^image(\.\w{1,5})$/i.exec(file.name)?.[1];
  return extension ? renamed(file, `${word} ${stamp(now)}${extension}`) : file;
}

/** Every part is taken hold of before the first wait, since the event ends then. */
async function given(data: DataTransfer): Promise<Gathered> {
  const text = data.getData("text/plain");
  const items = [...data.items].filter(({ kind }) => kind === "file").map(grasp);
  const nodes = (await Promise.all(items)).filter((node) => node !== undefined);
  if (nodes.length > 0) return walk(nodes);
  return text.trim() ? { ...NOTHING, text } : NOTHING;
}

/** The best that the browser gives for `item`: a handle, an entry, or the file alone. */
function grasp(item: DataTransferItem): Promise<Node | undefined> {
  const entry = item.webkitGetAsEntry?.();
  const file = item.getAsFile();
  const plain = entry ? nodeOfEntry(entry) : file ? nodeOfFile(file) : undefined;
  const handle = item.getAsFileSystemHandle?.() ?? Promise.resolve(null);
  return handle.then(
    (found) => (found ? nodeOfHandle(found) : plain),
    () => plain,
  );
}

function nodeOfFile(file: File): Node {
  return { kind: "file", name: file.name, file: async () => file };
}

function nodeOfHandle(handle: FileSystemHandle): Node {
  const { name } = handle;
  if (isFileHandle(handle)) return { kind: "file", name, handle, file: () => handle.getFile() };
  return { kind: "folder", name, inside: () => insideOf(handle as FileSystemDirectoryHandle) };
}

async function insideOf(folder: FileSystemDirectoryHandle): Promise<Node[]> {
  const nodes: Node[] = [];
  for await (const handle of folder.values()) {
    nodes.push(nodeOfHandle(handle));
    if (nodes.length > MOST_FILES) break;
  }
  return nodes;
}

function nodeOfEntry(entry: FileSystemEntry): Node {
  const { name } = entry;
  if (isFileEntry(entry)) {
    return {
      kind: "file",
      name,
      file: () => new Promise<File>((resolve, reject) => entry.file(resolve, reject)),
    };
  }
  return { kind: "folder", name, inside: () => entriesOf(entry as FileSystemDirectoryEntry) };
}

/** A reader gives some entries at a time, and none when there are no more. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<Node[]> {
  const reader = folder.createReader();
  const nodes: Node[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0 || nodes.length > MOST_FILES) return nodes;
    nodes.push(...some.map(nodeOfEntry));
  }
}

/** What was picked: nothing when the person thought better of it, `forbidden` when the browser has no picker here. */
async function picked<Handle>(pick: () => Promise<Handle[]>): Promise<Handle[] | "forbidden"> {
  try {
    return await pick();
  } catch (error) {
    return error instanceof DOMException && error.name === "AbortError" ? [] : "forbidden";
  }
}

function chosenByInput({ folder }: { folder: boolean }): Promise<Gathered> {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  input.webkitdirectory = folder;
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve(fromChooser(input.files)), { once: true });
    input.addEventListener("cancel", () => resolve(NOTHING), { once: true });
    input.click();
  });
}

function isFileHandle(handle: FileSystemHandle): handle is FileSystemFileHandle {
  return handle.kind === "file";
}

function isFileEntry(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}
