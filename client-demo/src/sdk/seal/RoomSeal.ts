/**
 * Seals and opens with one room's secret, by WebCrypto: words (names, notes, messages, previews) under one key with
 * random nonces, and a key of its own for each file. It refuses to open what was sealed for another purpose or room.
 */
import { RoomdropError } from "../RoomdropError";
import { NONCE } from "./layout";
import { canSeal, secretBytes } from "./secret";

/** What words are for; they open as nothing else. */
export type Purpose = "metadata" | "note" | "message" | "preview";

const AES = { name: "AES-GCM", length: 256 };

export class RoomSeal {
  readonly #base: Promise<CryptoKey>;
  readonly #words: Promise<CryptoKey>;

  private constructor(
    secret: Uint8Array<ArrayBuffer>,
    private readonly room: string,
  ) {
    this.#base = crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
    this.#words = this.#key("roomdrop/1 words", new Uint8Array(0));
  }

  /** Throws `bad_secret` for what is no secret, and `no_crypto` where the browser does not encrypt. */
  static of(secret: string, room: string): RoomSeal {
    const bytes = secretBytes(secret);
    if (canSeal()) return new RoomSeal(bytes, room);
    throw new RoomdropError(
      "no_crypto",
      "This room is encrypted, and browsers encrypt only over https; open the link with https.",
    );
  }

  /** The key of the file whose metadata has `salt`. */
  fileKey(salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
    return this.#key("roomdrop/1 file", salt);
  }

  /** A random nonce, and `plain` sealed under it. */
  async seal(purpose: Purpose, plain: Uint8Array<ArrayBuffer>, about = ""): Promise<Uint8Array<ArrayBuffer>> {
    const iv = crypto.getRandomValues(new Uint8Array(NONCE));
    const additionalData = this.#context(purpose, about);
    const sealed = await crypto.subtle.encrypt(
      { name: AES.name, iv, additionalData },
      await this.#words,
      plain,
    );
    const whole = new Uint8Array(NONCE + sealed.byteLength);
    whole.set(iv);
    whole.set(new Uint8Array(sealed), NONCE);
    return whole;
  }

  /** What `seal` has sealed for the same purpose; nothing when it does not open. */
  async open(
    purpose: Purpose,
    sealed: Uint8Array<ArrayBuffer>,
    about = "",
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const iv = sealed.subarray(0, NONCE);
    const additionalData = this.#context(purpose, about);
    try {
      const parameters = { name: AES.name, iv, additionalData };
      return new Uint8Array(
        await crypto.subtle.decrypt(parameters, await this.#words, sealed.subarray(NONCE)),
      );
    } catch {
      return undefined;
    }
  }

  #context(purpose: Purpose, about: string): Uint8Array<ArrayBuffer> {
    const words = ["roomdrop/1", purpose, this.room, ...(about ? [about] : [])];
    return new TextEncoder().encode(words.join(" "));
  }

  async #key(info: string, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
    const parameters = { name: "HKDF", hash: "SHA-256", salt, info: new TextEncoder().encode(info) };
    return crypto.subtle.deriveKey(parameters, await this.#base, AES, false, ["encrypt", "decrypt"]);
  }
}
