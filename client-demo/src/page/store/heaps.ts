/** Files as a person thinks of them before they are sent: those of a folder are one thing, with its name. Pure. */

export interface Heap<File> {
  key: string;
  kind: "file" | "folder";
  name: string;
  files: readonly File[];
}

interface Placed {
  id: number;
  file: { name: string };
  path: string;
}

/** In the order in which they were given. */
export function grouped<File extends Placed>(files: readonly File[]): Heap<File>[] {
  const heaps = new Map<string, Heap<File> & { files: File[] }>();
  for (const one of files) {
    const [folder = ""] = one.path.split("/");
    const key = folder ? `folder ${folder}` : `file ${one.id}`;
    const known = heaps.get(key);
    if (known) known.files.push(one);
    else {
      const named = folder
        ? { kind: "folder" as const, name: folder }
        : { kind: "file" as const, name: one.file.name };
      heaps.set(key, { key, ...named, files: [one] });
    }
  }
  return [...heaps.values()];
}
