/**
 * A preview's bytes as a picture. It goes by what the bytes are, and refuses everything but the three kinds that may
 * be offered: who offered it may be anyone.
 */

const STARTS: readonly (readonly [type: string, at: number, start: string])[] = [
  ["image/webp", 8, "WEBP"],
  ["image/jpeg", 0, "\xff\xd8\xff"],
  ["image/png", 0, "\x89PNG"],
];

export function pictureOf(bytes: Uint8Array<ArrayBuffer> | undefined): Blob | undefined {
  if (!bytes) return undefined;
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  const type = STARTS.find(([, at, begins]) => start.startsWith(begins, at))?.[0];
  return type === undefined ? undefined : new Blob([bytes], { type });
}
