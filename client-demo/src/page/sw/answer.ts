/**
 * What the worker's answers say in their head: status, range, type, disposition. Pure. It refuses to show in place
 * anything but pictures, sound and video, and lets even those run nothing.
 */

/** What part of a file a request is for: all of it, plain bytes from `from` up to `to`, or none that there are. */
export type Part = { part: "all" } | { part: "range"; from: number; to: number } | { part: "none" };

/** Reads a `Range` header (RFC 9110 §14.2); one that is malformed, or of several ranges, counts as none. */
export function partOf(range: string | null, size: number | null): Part {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range ?? "") ?? [];
  if (size === null || (first === "" && last === "")) return { part: "all" };
  if (first === "") {
    const from = Math.max(0, size - Number(last));
    return from < size ? { part: "range", from, to: size } : { part: "none" };
  }
  const from = Number(first);
  const to = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < from) return { part: "all" };
  return from < size ? { part: "range", from, to } : { part: "none" };
}

export interface Described {
  name: string;
  type: string;
  /** Bytes; `null` while not known. */
  size: number | null;
  /** Whether it was asked for to be shown. */
  inline: boolean;
  /** Whether parts of it can be had. */
  ranges: boolean;
}

/** Status and headers of the answer with this part. */
export function headOf(
  { name, type, size, inline, ranges }: Described,
  part: Part,
): { status: number; headers: Record<string, string> } {
  const shown = inline && isShowable(type);
  const headers: Record<string, string> = {
    "content-type": type,
    "content-disposition": disposition(name, shown),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    ...(shown ? { "content-security-policy": "sandbox" } : {}),
    ...(ranges && size !== null ? { "accept-ranges": "bytes" } : {}),
  };
  switch (part.part) {
    case "none":
      return { status: 416, headers: { ...headers, "content-range": `bytes */${size}` } };
    case "range": {
      const { from, to } = part;
      const range = `bytes ${from}-${to - 1}/${size}`;
      return {
        status: 206,
        headers: { ...headers, "content-range": range, "content-length": `${to - from}` },
      };
    }
    case "all":
      return { status: 200, headers: size === null ? headers : { ...headers, "content-length": `${size}` } };
  }
}

/** A drawing may hold a script. */
function isShowable(type: string): boolean {
  return /^(image|audio|video)\//i.test(type) && !/^image\/svg/i.test(type);
}

/** RFC 6266, for any name: letters of ASCII for old programs, and all of it. */
function disposition(name: string, shown: boolean): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const whole = encodeURIComponent(name).replace(/['()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
  return `${shown ? "inline" : "attachment"}; filename="${ascii}"; filename*=UTF-8''${whole}`;
}

/** Names in a ZIP, with their folders; equal ones are told apart as the server does: `a (2).txt`. */
export function zipNames(files: readonly { name: string; path: string }[]): string[] {
  const taken = new Set<string>();
  return files.map(({ name, path }) => {
    const folder = path === "" ? "" : `${path}/`;
    const dot = name.lastIndexOf(".");
    const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    let unique = folder + name;
    for (let nth = 2; taken.has(unique.toLowerCase()); nth += 1) {
      unique = `${folder}${stem} (${nth})${extension}`;
    }
    taken.add(unique.toLowerCase());
    return unique;
  });
}
