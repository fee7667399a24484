/**
 * What the server says of drops and messages, with what was sealed in its place: plain names and sizes where the
 * room's secret opens them, and the mark `locked` where it does not. It refuses to fail: what does not open is shown as
 * locked, and the rest of the room goes on.
 */
import type { Drop, OfferedTransfer, Message as WireMessage } from "../protocol";
import { fromBase64, toBase64 } from "./base64";
import { plainSize, sealedSize } from "./layout";
import { decodeMetadata, fromPath, type Metadata, SEALED_TYPE } from "./metadata";
import { pictureOf } from "./picture";
import type { RoomSeal } from "./RoomSeal";
import type { Sealing } from "./records";

/** Not encrypted; encrypted, and readable here; encrypted, and the secret is not here or not the right one. */
export type Seal = "none" | "open" | "locked";

/** A message in the room. Of a locked one the text is empty. */
export interface Message extends WireMessage {
  seal: Seal;
}

export interface OpenedTransfer extends Omit<OfferedTransfer, "preview"> {
  /** `none` when absent. */
  seal?: Seal;
  /** How its bytes are sealed, where they are and can be opened. */
  sealing?: Sealing;
  /** A small picture of it. */
  picture?: Blob;
}

export interface OpenedDrop extends Omit<Drop, "transfers"> {
  transfers: OpenedTransfer[];
}

/** What there is in a room. */
export interface Contents {
  drops: OpenedDrop[];
  messages: Message[];
}

/** Begins every sealed text. */
const PREFIX = "sealed:1:";
/** Transfers that are opened at once: what is done of them between two answers of WebCrypto is to stay short. */
const BATCH = 32;

/** At once when there is nothing to open. */
export function openDrop(drop: Drop, seal: RoomSeal | undefined): OpenedDrop | Promise<OpenedDrop> {
  const isSealed = isSealedText(drop.note) || drop.transfers.some(({ type }) => type === SEALED_TYPE);
  return seal && isSealed ? openEach(drop, seal) : unopened(drop);
}

/** The drop as it was said: what is sealed stays locked. */
function unopened(drop: Drop): OpenedDrop {
  return {
    ...drop,
    note: isSealedText(drop.note) ? null : drop.note,
    transfers: drop.transfers.map((offered) =>
      plain(offered, offered.type === SEALED_TYPE ? "locked" : "none"),
    ),
  };
}

/** At once when there is nothing to open. */
export function openMessage(said: WireMessage, seal: RoomSeal | undefined): Message | Promise<Message> {
  if (!isSealedText(said.text)) return { ...said, seal: "none" };
  const locked: Message = { ...said, text: "", seal: "locked" };
  if (!seal) return locked;
  return openText(said.text, "message", seal).then((text) => {
    return text === undefined ? locked : { ...said, text, seal: "open" };
  });
}

/** The same, of a drop that may be known: then it was opened before. */
export function openNew(
  drop: Drop,
  seal: RoomSeal | undefined,
  isKnown: (drop: string) => boolean,
): OpenedDrop | Promise<OpenedDrop> {
  return isKnown(drop.drop) ? unopened(drop) : openDrop(drop, seal);
}

/** What a join brings; at once when there is nothing to open. */
export function openContents(
  joined: { drops: readonly Drop[]; messages: readonly WireMessage[] },
  seal: RoomSeal | undefined,
  isKnown: (drop: string) => boolean,
): Contents | Promise<Contents> {
  const drops = joined.drops.map((drop) => openNew(drop, seal, isKnown));
  const messages = joined.messages.map((message) => openMessage(message, seal));
  if (isThere(drops) && isThere(messages)) return { drops, messages };
  return Promise.all([Promise.all(drops), Promise.all(messages)]).then(([drops, messages]) => {
    return { drops, messages };
  });
}

function isThere<T>(all: (T | Promise<T>)[]): all is T[] {
  return !all.some((one) => one instanceof Promise);
}

export async function sealText(text: string, purpose: "message" | "note", seal: RoomSeal): Promise<string> {
  return PREFIX + toBase64(await seal.seal(purpose, new TextEncoder().encode(text)));
}

async function openText(
  text: string,
  purpose: "message" | "note",
  seal: RoomSeal,
): Promise<string | undefined> {
  const sealed = fromBase64(text.slice(PREFIX.length));
  const bytes = sealed && (await seal.open(purpose, sealed));
  return bytes && new TextDecoder().decode(bytes);
}

function isSealedText(text: string | null): text is string {
  return text?.startsWith(PREFIX) === true;
}

async function openEach(drop: Drop, seal: RoomSeal): Promise<OpenedDrop> {
  const note = isSealedText(drop.note) ? await openText(drop.note, "note", seal) : drop.note;
  const transfers: OpenedTransfer[] = [];
  for (let at = 0; at < drop.transfers.length; at += BATCH) {
    const batch = drop.transfers.slice(at, at + BATCH).map((offered) => openTransfer(offered, seal));
    transfers.push(...(await Promise.all(batch)));
  }
  return { ...drop, note: note ?? null, transfers };
}

async function openTransfer(offered: OfferedTransfer, seal: RoomSeal): Promise<OpenedTransfer> {
  if (offered.type !== SEALED_TYPE) return plain(offered, "none");
  const sealed = fromPath(offered.path ?? "");
  const bytes = sealed && (await seal.open("metadata", sealed));
  const metadata = bytes && decodeMetadata(bytes);
  const size = metadata && sizeOf(metadata, offered.size);
  if (!metadata || size === undefined) return plain(offered, "locked");
  const { name, path, type, modified, salt, record } = metadata;
  const picture = await openPicture(offered.preview, salt, seal);
  const { transfer, state, copy } = offered;
  return {
    transfer,
    state,
    ...(copy ? { copy } : {}),
    ...{ name, size, type },
    ...(path ? { path } : {}),
    ...(modified === undefined ? {} : { modified }),
    ...(picture ? { picture } : {}),
    seal: "open",
    sealing: sealingOf(salt, record, seal),
  };
}

/** How a file with this salt is sealed; its key is derived once, when it is first needed. */
export function sealingOf(salt: Uint8Array<ArrayBuffer>, record: number, seal: RoomSeal): Sealing {
  let key: Promise<CryptoKey> | undefined;
  return {
    record,
    key: () => {
      key ??= seal.fileKey(salt);
      return key;
    },
  };
}

/** The plain size, by the sender's word and the server's; nothing when they do not go together. */
function sizeOf({ size, record }: Metadata, sealed: number | null): number | null | undefined {
  if (size !== null) return sealed === sealedSize(size, record) ? size : undefined;
  return sealed === null ? null : plainSize(sealed, record);
}

async function openPicture(
  preview: string | undefined,
  salt: Uint8Array,
  seal: RoomSeal,
): Promise<Blob | undefined> {
  const sealed = preview === undefined ? undefined : fromBase64(preview);
  return pictureOf(sealed && (await seal.open("preview", sealed, toBase64(salt))));
}

function plain({ preview, ...offered }: OfferedTransfer, seal: "none" | "locked"): OpenedTransfer {
  const picture = seal === "none" && preview ? pictureOf(fromBase64(preview)) : undefined;
  return { ...offered, seal, ...(picture ? { picture } : {}) };
}
