// A sender that reloads: its files are found again by their handles, if they are still the same.
import { expect, test } from "vitest";
import { KIB } from "./ChunkSize";
import type { HandleShelf } from "./HandleShelf";
import type { Outgoing } from "./Outgoing";
import type { Room } from "./Room";
import { fingerprint } from "./sameFile";
import { enter, FakeRoom, ME, memoryStorage, offeredBy, status } from "./testing/FakeRoom";

const MODIFIED = 5;

function textFile(text: string): File {
  return new File([text], "file 0", { lastModified: MODIFIED });
}

/** A handle to whatever `content.file` is then; the browser's answers are `may`, and after a click `clicked`. */
function handleOf(content: { file: File | undefined }, may: PermissionState, clicked = may) {
  return {
    kind: "file",
    name: "file 0",
    queryPermission: async () => may,
    requestPermission: async () => clicked,
    getFile: async () => {
      if (!content.file) throw new DOMException("gone", "NotFoundError");
      return content.file;
    },
  } as unknown as FileSystemFileHandle;
}

function memoryShelf(): HandleShelf & { kept: Map<string, FileSystemFileHandle> } {
  const kept = new Map<string, FileSystemFileHandle>();
  return {
    kept,
    async put(handles) {
      for (const [transfer, handle] of handles) kept.set(transfer, handle);
    },
    get: async (transfers) => new Map([...kept].filter(([transfer]) => transfers.includes(transfer))),
    async remove(transfers) {
      for (const transfer of transfers) kept.delete(transfer);
    },
  };
}

/** Offers a file with a handle, has its fingerprint computed, and reloads the page. */
async function reloaded(content: { file: File | undefined }, may: PermissionState, clicked = may) {
  const server = new FakeRoom();
  const storage = memoryStorage();
  const shelf = memoryShelf();
  const first = enter(server, storage, undefined, shelf);
  first.up();
  await first.room.joined();
  if (!content.file) throw new Error("no file");
  await first.room.offer([{ file: content.file, handle: handleOf(content, may, clicked) }]);
  await expect.poll(() => stored(storage)).toContain("blake3:");
  first.room.close();
  return {
    shelf,
    server,
    /** The page after the reload, joined; and its transfer. */
    async again(): Promise<{ room: Room; outgoing: Outgoing }> {
      server.drops = [offeredBy(ME, 1, "suspended")];
      const { room, up } = enter(server, storage, undefined, shelf);
      up();
      await room.joined();
      return { room, outgoing: room.drops[0]?.transfers[0] as Outgoing };
    },
  };
}

function stored(storage: ReturnType<typeof memoryStorage>): string {
  return Array.from({ length: storage.length }, (_, index) =>
    storage.getItem(storage.key(index) ?? ""),
  ).join();
}

test("a file whose handle may be read is served again at once", async () => {
  const { again } = await reloaded({ file: textFile("0123456789") }, "granted");
  const { outgoing } = await again();
  await expect.poll(() => outgoing.stage).toBe("serving");
});

test("one that the browser asks about sleeps until it is woken, and is served then", async () => {
  const { again } = await reloaded({ file: textFile("0123456789") }, "prompt", "granted");
  const { room, outgoing } = await again();
  await expect.poll(() => outgoing.stage).toBe("asleep");
  expect(await room.wake(outgoing)).toEqual([outgoing]);
  expect(outgoing).toMatchObject({ stage: "serving", error: undefined });
});

test("one that is refused is missing, with a sentence, and can be chosen again", async () => {
  const file = textFile("0123456789");
  const { again } = await reloaded({ file }, "prompt", "denied");
  const { room, outgoing } = await again();
  await expect.poll(() => outgoing.stage).toBe("asleep");
  expect(await room.wake(outgoing)).toEqual([]);
  expect(outgoing).toMatchObject({ stage: "missing", error: { code: "file_refused" } });
  await room.supply([file]);
  expect(outgoing).toMatchObject({ stage: "serving", error: undefined });
});

test("a file that is gone, or has other content under the same name, size and date, is not served", async () => {
  const content: { file: File | undefined } = { file: textFile("0123456789") };
  const { again } = await reloaded(content, "granted");
  content.file = textFile("9876543210");
  const changed = await again();
  await expect.poll(() => changed.outgoing.error?.code).toBe("file_mismatch");
  expect(changed.outgoing.stage).toBe("missing");
  await expect(changed.room.supply([content.file])).rejects.toMatchObject({ code: "file_mismatch" });
  content.file = undefined;
  const gone = await again();
  await expect.poll(() => gone.outgoing.error?.code).toBe("file_changed");
});

test("a handle is kept no longer than its transfer", async () => {
  const { again, shelf, server } = await reloaded({ file: textFile("0123456789") }, "granted");
  const { outgoing } = await again();
  await expect.poll(() => outgoing.stage).toBe("serving");
  expect([...shelf.kept.keys()]).toEqual(["t0"]);
  server.people.hear("transfer:status", status("t0", "cancelled"));
  await expect.poll(() => shelf.kept.size).toBe(0);
});

test("a fingerprint sees the beginning, the middle and the end of a large file", async () => {
  const size = 1024 * KIB;
  const plain = new Uint8Array(size);
  const prints = new Set([await fingerprint(new Blob([plain]))]);
  for (const at of [0, size / 2, size - 1]) {
    const other = plain.slice();
    other[at] = 1;
    prints.add(await fingerprint(new Blob([other])));
  }
  expect(prints.size).toBe(4);
});
