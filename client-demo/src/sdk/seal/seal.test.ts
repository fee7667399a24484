// Words and metadata sealed with a room's secret: what opens, what does not, and what is refused at once.
import { expect, test } from "vitest";
import { fromBase64, toBase64 } from "./base64";
import { decodeMetadata, encodeMetadata, fromPath, type Metadata, SALT, toPath } from "./metadata";
import { RoomSeal } from "./RoomSeal";
import { canSeal, makeSecret } from "./secret";

const METADATA: Metadata = {
  name: "Jahresbericht 🦊.pdf",
  path: "a/b c",
  type: "application/pdf",
  modified: 1_700_000_000_000,
  size: 123_456,
  salt: new Uint8Array(SALT).fill(7),
  record: 262_144,
};

test("a secret is 43 characters that a link can carry, and a new one each time", () => {
  const secrets = Array.from({ length: 50 }, makeSecret);
  expect(new Set(secrets).size).toBe(50);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(canSeal()).toBe(true);
});

test("half a secret is refused with a sentence, not a crash", () => {
  const secret = makeSecret();
  for (const wrong of [
    "",
    "x",
    secret.slice(1),
    `${secret}a`,
    `${secret.slice(1)}!`,
    `${secret.slice(1)}ä`,
  ]) {
    expect(() => RoomSeal.of(wrong, "r")).toThrow(expect.objectContaining({ code: "bad_secret" }));
  }
});

test("base64 of all lengths comes back, from either alphabet", () => {
  for (let length = 0; length < 70; length += 1) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    expect(fromBase64(Buffer.from(bytes).toString("base64"))).toEqual(bytes);
  }
  expect(toBase64(new Uint8Array(100_000))).toHaveLength(133_334);
  for (const wrong of ["a", "ab c", "ä", "====", "a=b"]) expect(fromBase64(wrong)).toBeUndefined();
});

test("what is sealed opens with the same secret, room, purpose and subject, and with nothing else", async () => {
  const secret = makeSecret();
  const seal = RoomSeal.of(secret, "r");
  const plain = new TextEncoder().encode("meet me at noon");
  const sealed = await seal.seal("message", plain, "x");
  expect(await RoomSeal.of(secret, "r").open("message", sealed, "x")).toEqual(plain);
  expect(await seal.open("note", sealed, "x")).toBeUndefined();
  expect(await seal.open("message", sealed, "y")).toBeUndefined();
  expect(await seal.open("message", sealed)).toBeUndefined();
  expect(await RoomSeal.of(secret, "s").open("message", sealed, "x")).toBeUndefined();
  expect(await RoomSeal.of(makeSecret(), "r").open("message", sealed, "x")).toBeUndefined();
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = sealed.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(await seal.open("message", changed, "x")).toBeUndefined();
  }
  for (const short of [0, 5, 12, 20])
    expect(await seal.open("message", sealed.slice(0, short))).toBeUndefined();
});

test("the same words look different each time", async () => {
  const seal = RoomSeal.of(makeSecret(), "r");
  const plain = new TextEncoder().encode("yes");
  expect(toBase64(await seal.seal("message", plain))).not.toBe(toBase64(await seal.seal("message", plain)));
});

test("the same salt is the same file key on another page, another salt another", async () => {
  const secret = makeSecret();
  const iv = new Uint8Array(12);
  const with_ = async (salt: number, room: string) => {
    const key = await RoomSeal.of(secret, room).fileKey(new Uint8Array(SALT).fill(salt));
    return toBase64(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, iv)));
  };
  expect(await with_(1, "r")).toBe(await with_(1, "r"));
  expect(await with_(1, "r")).not.toBe(await with_(2, "r"));
});

test("metadata comes back, padded so that its length says little", () => {
  expect(decodeMetadata(encodeMetadata(METADATA))).toEqual(METADATA);
  const live = { ...METADATA, path: "", modified: undefined, size: null };
  expect(decodeMetadata(encodeMetadata(live))).toEqual(live);
  expect(encodeMetadata(METADATA).length % 64).toBe(0);
  expect(encodeMetadata({ ...METADATA, name: "a" })).toHaveLength(
    encodeMetadata({ ...METADATA, name: "abcd" }).length,
  );
});

test("a path of metadata is one that the server takes, and comes back", () => {
  for (const length of [1, 150, 151, 900, 2900]) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    const path = toPath(bytes);
    expect(path.length).toBeLessThanOrEqual(4096);
    for (const segment of path.split("/")) expect(segment).toMatch(/^[A-Za-z0-9_-]{1,200}$/);
    expect(fromPath(path)).toEqual(bytes);
  }
  expect(() => toPath(new Uint8Array(3100))).toThrow(expect.objectContaining({ code: "too_large" }));
  expect(fromPath("a/b c")).toBeUndefined();
});

test("metadata of someone who means harm is not believed", () => {
  const said = (change: object) =>
    decodeMetadata(
      new TextEncoder().encode(
        JSON.stringify({ v: 1, ...METADATA, salt: toBase64(METADATA.salt), ...change }),
      ),
    );
  expect(said({})).toEqual(METADATA);
  const wrong = [
    { v: 2 },
    { name: "" },
    { name: "../a" },
    { name: ".." },
    { name: "a\nb" },
    { name: "a\\b" },
    { name: "a".repeat(256) },
    { path: "/etc" },
    { path: "a//b" },
    { path: "a/../b" },
    { type: "html" },
    { type: "text/html\r\nx: y" },
    { size: -1 },
    { size: 1.5 },
    { size: "1" },
    { modified: Number.NaN.toString() },
    { record: 1000 },
    { record: 2 ** 30 },
    { salt: "AAAA" },
    { salt: 5 },
  ];
  for (const change of wrong) expect(said(change), JSON.stringify(change)).toBeUndefined();
  for (const text of ["", "null", "[]", "{", "5"]) {
    expect(decodeMetadata(new TextEncoder().encode(text))).toBeUndefined();
  }
});
