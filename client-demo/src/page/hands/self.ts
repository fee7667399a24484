/**
 * Who one is to others: a name and an avatar, made up at first, remembered, and changed at will. An avatar is
 * an emoji in front of the name on the wire ("🦊 Ada"), so that every client shows it, and no picture is ever
 * asked of a stranger. It refuses nothing that others call themselves: a face is found for any name.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { randomName } from "../roomId";
import { remember, remembered } from "./memory";

export interface Self {
  name: string;
  /** An emoji, or nothing. */
  avatar: string;
}

/** What stands for a member on the page. */
export interface Face {
  /** An emoji; empty where the name has none: then its initials stand on its colour. */
  avatar: string;
  name: string;
  initials: string;
  /** Degrees on the colour wheel, the same for the same member everywhere. */
  hue: number;
}

/** The animals of made-up names that have an emoji. */
const ANIMALS: Readonly<Record<string, string>> = {
  Badger: "🦡",
  Beaver: "🦫",
  Bison: "🦬",
  Cricket: "🦗",
  Deer: "🦌",
  Dolphin: "🐬",
  Dove: "🕊️",
  Eagle: "🦅",
  Fox: "🦊",
  Gecko: "🦎",
  Hare: "🐇",
  Koala: "🐨",
  Otter: "🦦",
  Owl: "🦉",
  Panda: "🐼",
  Seal: "🦭",
  Snail: "🐌",
  Swan: "🦢",
  Tiger: "🐅",
  Toad: "🐸",
  Trout: "🐟",
  Turtle: "🐢",
};

/** What a person may choose from. */
export const AVATARS: readonly string[] = [
  ...new Set([...Object.values(ANIMALS), ..."🦜🐧🐙🦋🐝🦩🐳🦁🐱🐻🦄🌵🌻🍀🍄🍋🍓🥝🥨🚲🚀🎈🎸🌈🌙⭐🔥"]),
];

/** Characters of a name on the wire, avatar and all. */
const MOST = 64;
const NAME = "name";
const AVATAR = "avatar";
/** Emoji as people type them: flags, keycaps left out, with skin tones, and several joined to one. */
const EMOJI = String.raw`(?:\p{RI}\p{RI}|\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?(?:\u200D\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?)*)`;
const LEADING_EMOJI = new RegExp(`^(${EMOJI})\\s*(.*)$`, "su");
const ONE_EMOJI = new RegExp(`^${EMOJI}$`, "u");
/** What can make a name look like another, or turn the words around it: controls, and marks of direction. */
const INVISIBLE = /[\p{Cc}\p{Cs}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

const mine = signal<Self>({ name: "", avatar: "" });

/** Oneself. */
export const self: ReadonlySignal<Self> = computed(() => mine.value);

/** Finds who one was, or makes someone up, and remembers it. To be called once, as the page begins. */
export function beginSelf(): void {
  const name = tidyName(remembered("browser", NAME) ?? "");
  const avatar = remembered("browser", AVATAR);
  mine.value = name ? { name, avatar: tidyAvatar(avatar ?? "") } : someone();
  keep();
}

/** Calls oneself something else; nothing at all makes up a new name. */
export function setName(name: string): void {
  const tidy = tidyName(name);
  mine.value = tidy ? { ...mine.value, name: tidy } : someone();
  keep();
}

/** An emoji, or nothing for initials. */
export function setAvatar(avatar: string): void {
  mine.value = { ...mine.value, avatar: tidyAvatar(avatar) };
  keep();
}

/** What others are told. */
export function wireName(who: Self = mine.value): string {
  return cut(who.avatar ? `${who.avatar} ${who.name}` : who.name, MOST);
}

/** The face of whoever is called `name` on the wire; `id` is the member's. */
export function faceOf(name: string, id: string): Face {
  const shown = tidyName(name);
  const [, avatar = "", rest = ""] = LEADING_EMOJI.exec(shown) ?? [];
  const called = rest.trim() || shown || "?";
  return { avatar, name: called, initials: initialsOf(called), hue: hueOf(id) };
}

/** A name as it may go on the wire: one line, no more than there is room for beside an avatar. */
export function tidyName(name: string): string {
  return cut(name.replace(INVISIBLE, " ").replace(/\s+/g, " ").trim(), MOST - 12).trim();
}

function tidyAvatar(avatar: string): string {
  return avatar.length <= 16 && ONE_EMOJI.test(avatar) ? avatar : "";
}

/** Someone made up: an animal, and its picture where there is one. */
function someone(): Self {
  const name = randomName();
  return { name, avatar: pictureOf(name) };
}

/** The picture of the animal a made-up name ends with. */
export function pictureOf(name: string): string {
  return ANIMALS[name.slice(name.lastIndexOf(" ") + 1)] ?? "";
}

function keep(): void {
  remember("browser", NAME, mine.value.name);
  remember("browser", AVATAR, mine.value.avatar);
}

/** The first letters of the first and the last word; of one word, its first. */
function initialsOf(name: string): string {
  const words = name.split(" ").filter((word) => /[\p{L}\p{N}]/u.test(word));
  const [first = name, last] = [words[0], words.length > 1 ? words.at(-1) : undefined];
  return [first, last ?? ""]
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();
}

function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const letter of id) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % 360;
}

/** At most `most` characters, as the server counts them: code points. */
function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : characters.slice(0, most).join("");
}
