/**
 * Names of files and folders as the wire takes them. A disk may hold names that no offer may carry (a backslash,
 * a line break, more bytes than there is room for); one of those would have a whole drop refused, so they are
 * made fit here, and nothing is left out for its name.
 */

/** Bytes of a file's or folder's name, and of a whole path, at most. */
const NAME_BYTES = 255;
const PATH_BYTES = 4096;
/** An extension that is kept when a name is cut. */
const EXTENSION = /\.[^.]{1,16}$/u;

/** `name` as an offer may carry it. */
export function wireName(name: string): string {
  const tame = name.replace(/[/\\\p{Cc}\p{Cs}]/gu, "_");
  const real = tame === "" || tame === "." || tame === ".." ? "_" : tame;
  if (bytesOf(real) <= NAME_BYTES) return real;
  const extension = EXTENSION.exec(real)?.[0] ?? "";
  return cut(real.slice(0, real.length - extension.length), NAME_BYTES - bytesOf(extension)) + extension;
}

/** Folder names as the path of an offer; deeper folders than a path has room for are left out of it. */
export function wirePath(folders: readonly string[]): string {
  let path = "";
  for (const folder of folders) {
    const longer = path ? `${path}/${wireName(folder)}` : wireName(folder);
    if (bytesOf(longer) > PATH_BYTES) break;
    path = longer;
  }
  return path;
}

/** The folders of a path that a browser gave: `webkitRelativePath` without the file's own name. */
export function foldersOf(relativePath: string): string[] {
  return relativePath
    .split("/")
    .slice(0, -1)
    .filter((folder) => folder !== "");
}

/** The file under the name that the wire takes. */
export function fitFile(file: File): File {
  const name = wireName(file.name);
  return name === file.name ? file : renamed(file, name);
}

/** The same bytes under another name; nothing is read. */
export function renamed(file: File, name: string): File {
  return new File([file], name, { type: file.type, lastModified: file.lastModified });
}

/** As many whole characters of `text` as fit into `most` bytes. */
function cut(text: string, most: number): string {
  let kept = "";
  let size = 0;
  for (const character of text) {
    size += bytesOf(character);
    if (size > most) break;
    kept += character;
  }
  return kept;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
