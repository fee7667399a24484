// The format as PROTOCOL.md writes it, by another hand: Node's own crypto opens what the SDK seals, and seals what it opens.

import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { createBLAKE3 } from "hash-wasm";
import { expect, test } from "vitest";
import { blobSource } from "../blobSource";
import type { Drop } from "../protocol";
import { offerings } from "./offering";
import { openDrop, openMessage, sealText } from "./opened";
import { RoomSeal } from "./RoomSeal";
import { sealedSource } from "./sealedSource";

const SECRET = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const ROOM = "calm-otter-42";
/** Of this secret, the second with a salt of sixteen sevens, as another language computed them. */
const WORDS_KEY = "4020cce99b2b60b18ed10a1e6cf435f3ed13104f48b88cc221ecbb44f9ebd087";
const FILE_KEY = "ee12d0178e523335b240f86fa140b590d18522c1b117a002d9e76307964dcc6b";
const seal = RoomSeal.of(SECRET.toString("base64url"), ROOM);

function key(info: string, salt: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.from(hkdfSync("sha256", SECRET, salt, info, 32));
}

function open(under: Buffer, nonce: Uint8Array, sealed: Buffer, context = ""): Buffer {
  const cipher = createDecipheriv("aes-256-gcm", under, nonce).setAAD(Buffer.from(context));
  cipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
}

function sealed(under: Buffer, nonce: Uint8Array, plain: Buffer, context = ""): Buffer {
  const cipher = createCipheriv("aes-256-gcm", under, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function words(purpose: string, wire: string): Buffer {
  const bytes = Buffer.from(wire, "base64url");
  return open(key("roomdrop/1 words"), bytes.subarray(0, 12), bytes.subarray(12), `roomdrop/1 ${purpose}`);
}

function nonce(index: number, kind: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(index, 7);
  bytes[11] = kind;
  return bytes;
}

test("keys are those that HKDF gives, so that they are the same in every language", () => {
  expect(key("roomdrop/1 words").toString("hex")).toBe(WORDS_KEY);
  expect(key("roomdrop/1 file", Buffer.alloc(16, 7)).toString("hex")).toBe(FILE_KEY);
});

test("messages are as they are written down, both ways", async () => {
  const text = await sealText("häll😀", "message", seal);
  expect(words(`message ${ROOM}`, text.replace(/^sealed:1:/, "")).toString()).toBe("häll😀");
  const iv = Buffer.alloc(12, 9);
  const wire = sealed(key("roomdrop/1 words"), iv, Buffer.from("back"), `roomdrop/1 message ${ROOM}`);
  const said = `sealed:1:${Buffer.concat([iv, wire]).toString("base64url")}`;
  const message = { room: ROOM, id: "1", at: 1, from: "m", fromName: "Bo", text: said };
  expect(await openMessage(message, seal)).toMatchObject({ text: "back", seal: "open" });
});

test("a file is as it is written down: metadata, records, trailer, and its size", async () => {
  const plain = Buffer.from(Array.from({ length: 600_000 }, (_, index) => index % 251));
  const picture = new Blob([Buffer.from("\x89PNG and so on", "latin1")]);
  const file = { name: "a.txt", path: "x/y", type: "text/plain", modified: 5, size: plain.length, picture };
  const [offering] = await offerings([file], seal);
  const { said, known } = offering ?? {};
  const metadata = words(`metadata ${ROOM}`, (said?.path ?? "").replaceAll("/", ""));
  expect(metadata.length % 64).toBe(0);
  const { salt, ...rest } = JSON.parse(metadata.toString()) as { salt: string };
  const { picture: _, ...written } = file;
  expect(rest).toEqual({ v: 1, ...written, record: 262_144 });
  expect(words(`preview ${ROOM} ${salt}`, said?.preview ?? "").toString("latin1")).toBe("\x89PNG and so on");

  const inner = blobSource(new Blob([plain]));
  if (!known?.sealing) throw new Error("not sealed");
  const source = sealedSource(inner, known.sealing, true);
  expect([said?.size, source.size]).toEqual([600_000 + 3 * 16 + 48, 600_000 + 3 * 16 + 48]);
  const wire = Buffer.from(await source.read(0, source.size));
  const under = key("roomdrop/1 file", Buffer.from(salt, "base64url"));
  const step = 262_144 + 16;
  const records = [0, 1, 2].map((index) =>
    open(under, nonce(index, 0), wire.subarray(index * step, Math.min((index + 1) * step, wire.length - 48))),
  );
  expect(Buffer.concat(records).equals(plain)).toBe(true);
  const digest = (await createBLAKE3()).init().update(plain).digest("hex");
  expect(open(under, nonce(3, 1), wire.subarray(-48)).toString("hex")).toBe(digest);
});

test("a drop that another program sealed by the page is open here", async () => {
  const iv = Buffer.alloc(12, 3);
  const salt = Buffer.alloc(16, 1).toString("base64url");
  const metadata = { v: 1, name: "b.txt", path: "", type: "text/plain", size: 10, salt, record: 1024 };
  const wire = sealed(
    key("roomdrop/1 words"),
    iv,
    Buffer.from(JSON.stringify(metadata)),
    `roomdrop/1 metadata ${ROOM}`,
  );
  const path = Buffer.concat([iv, wire])
    .toString("base64url")
    .match(/.{1,200}/g)
    ?.join("/");
  const drop: Drop = {
    room: ROOM,
    drop: "d",
    from: "m",
    fromName: "Bo",
    at: 1,
    keep: false,
    note: null,
    transfers: [
      {
        transfer: "t",
        name: "sealed.bin",
        ...(path ? { path } : {}),
        size: 10 + 16 + 48,
        type: "application/vnd.roomdrop.sealed",
        state: "offered",
      },
    ],
  };
  const opened = await openDrop(drop, seal);
  expect(opened.transfers[0]).toMatchObject({ name: "b.txt", size: 10, type: "text/plain", seal: "open" });
});
