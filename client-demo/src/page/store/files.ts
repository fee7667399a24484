/** Files as a person gave them to the page: chosen, or dropped, folders with all that is in them. */
import type { FileInFolder } from "../../sdk";

/** The files of a drop; must be called while the event is being handled. */
export function droppedFiles(data: DataTransfer): Promise<FileInFolder[]> {
  // Entries are gone once the event is over, so all of them are taken first.
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
  if (entries.length === 0) return Promise.resolve([...data.files].map((file) => ({ file })));
  return Promise.all(entries.map((entry) => filesOf(entry, ""))).then((lists) => lists.flat());
}

async function filesOf(entry: FileSystemEntry, folder: string): Promise<FileInFolder[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [folder ? { file, path: folder } : { file }];
  }
  if (!isDirectory(entry)) return [];
  const inside = folder ? `${folder}/${entry.name}` : entry.name;
  const lists = await Promise.all((await entriesOf(entry)).map((one) => filesOf(one, inside)));
  return lists.flat();
}

/** A reader gives some entries at a time, and none when there are no more. */
async function entriesOf(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
