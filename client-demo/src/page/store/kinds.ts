/** What kind of file something is, by its type and else by its name: which icon it has, and whether it can be watched. Pure. */

export type KindName = "image" | "audio" | "video" | "archive" | "text" | "pdf" | "other";

export interface Kind {
  name: KindName;
  /** Whether a browser shows or plays it where it stands. */
  watchable: boolean;
}

const ENDINGS: readonly (readonly [RegExp, KindName])[] = [
  [/\.(png|jpe?g|gif|webp|avif|heic|svg|bmp)$/i, "image"],
  [/\.(mp3|m4a|ogg|opus|flac|wav|aac)$/i, "audio"],
  [/\.(mp4|m4v|webm|mov|mkv)$/i, "video"],
  [/\.(zip|gz|tgz|bz2|xz|zst|7z|rar|tar)$/i, "archive"],
  [/\.pdf$/i, "pdf"],
  [/\.(txt|md|csv|json|xml|html|css|js|ts|rs|py|go|c|h|cpp|java|log|ya?ml|toml)$/i, "text"],
];
/** Pictures that browsers show; others are pictures all the same, but not to be watched. */
const SHOWN = /^image\/(png|jpeg|gif|webp|avif|bmp)$/;

export function kindOf(name: string, type: string): Kind {
  const family = /^(image|audio|video|text)\//.exec(type)?.[1];
  const found = isKind(family) ? family : (ENDINGS.find(([ending]) => ending.test(name))?.[1] ?? "other");
  const watchable = found === "image" ? SHOWN.test(type) : /^(audio|video)\//.test(type);
  return { name: found, watchable };
}

function isKind(family: string | undefined): family is KindName {
  return family !== undefined;
}
