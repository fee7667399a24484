/** Names of rooms and people that can be read aloud. */

const HOW = [
  "amber",
  "bold",
  "brave",
  "bright",
  "calm",
  "clear",
  "cosy",
  "crisp",
  "eager",
  "early",
  "fair",
  "fleet",
  "fond",
  "fresh",
  "gentle",
  "glad",
  "golden",
  "grand",
  "green",
  "happy",
  "jolly",
  "keen",
  "kind",
  "light",
  "lively",
  "lucky",
  "mellow",
  "merry",
  "mild",
  "neat",
  "noble",
  "plain",
  "proud",
  "quick",
  "quiet",
  "rapid",
  "rosy",
  "sharp",
  "silver",
  "snug",
  "soft",
  "spry",
  "sunny",
  "swift",
  "tidy",
  "warm",
  "wise",
  "witty",
];
const WHO = [
  "badger",
  "beaver",
  "bison",
  "crane",
  "cricket",
  "deer",
  "dolphin",
  "dove",
  "eagle",
  "falcon",
  "ferret",
  "finch",
  "fox",
  "gecko",
  "goose",
  "hare",
  "hawk",
  "heron",
  "ibis",
  "jay",
  "koala",
  "lark",
  "lemur",
  "lynx",
  "magpie",
  "marten",
  "mole",
  "moose",
  "newt",
  "otter",
  "owl",
  "panda",
  "pigeon",
  "puffin",
  "quail",
  "raven",
  "robin",
  "seal",
  "shrew",
  "snail",
  "sparrow",
  "stork",
  "swan",
  "tiger",
  "toad",
  "trout",
  "turtle",
  "wren",
];
/** Numbers that follow, so that a room's name is not soon taken by others. */
const NUMBERS = 10_000;

/** Such as `calm-otter-4217`. */
export function randomRoomId(): string {
  return `${pick(HOW)}-${pick(WHO)}-${below(NUMBERS)}`;
}

/** Such as `Calm Otter`. */
export function randomName(): string {
  return [pick(HOW), pick(WHO)].map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
}

/** The id in what a person typed or pasted: a code, or a room's whole address; nothing if it can't be one. */
export function roomIdIn(text: string): string | undefined {
  const code = /\/rooms\/([^/?#]+)/.exec(text)?.[1] ?? text.trim().replace(/\s+/g, "-");
  return /^[A-Za-z0-9_-]{1,64}$/.test(code) ? code : undefined;
}

function pick(words: readonly string[]): string {
  return words[below(words.length)] ?? "room";
}

/** A random whole number below `bound`, each as likely as the others. */
function below(bound: number): number {
  const limit = Math.floor(2 ** 32 / bound) * bound;
  const word = new Uint32Array(1);
  do crypto.getRandomValues(word);
  while ((word[0] ?? 0) >= limit);
  return (word[0] ?? 0) % bound;
}
