/**
 * Several files as one ZIP, made while it is saved: each is asked for when its turn comes, and nothing is stored. It
 * refuses to end well when one of them can't be had, so that no ZIP is taken for whole that is not.
 */
import { makeZip, predictLength } from "client-zip";
import { zipNames } from "./answer";
import { bytesOf } from "./bytes";
import type { FileEntry } from "./entry";

/** Bytes of the ZIP, where every file's size is known. */
export function zipSize(files: readonly FileEntry[]): number | null {
  const names = zipNames(files);
  const all = files.flatMap(({ size }, index) => (size === null ? [] : [{ name: names[index], size }]));
  return all.length === files.length ? Number(predictLength(all)) : null;
}

export function zipOf(files: readonly FileEntry[], signal: AbortSignal): ReadableStream<Uint8Array> {
  return makeZip(inTurn(files, signal));
}

async function* inTurn(files: readonly FileEntry[], signal: AbortSignal) {
  const names = zipNames(files);
  for (const [index, file] of files.entries()) {
    const modified = file.modified === undefined ? {} : { lastModified: new Date(file.modified) };
    const size = file.size === null ? {} : { size: file.size };
    yield { name: names[index], input: await bytesOf(file, undefined, signal), ...modified, ...size };
  }
}
