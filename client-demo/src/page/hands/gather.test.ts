/** What a person's folders become: paths, in order, with what can't be read named and the rest taken. */
import { describe, expect, test } from "vitest";
import { named, stamp } from "./gather";
import { fitFile, foldersOf, wireName, wirePath } from "./names";
import { MOST_FILES, type Node, walk } from "./walk";

const NOW = new Date(2026, 10, 21, 9, 5, 7);

function file(name: string): Node {
  return { kind: "file", name, file: async () => new File(["x"], name) };
}

function gone(name: string): Node {
  return { kind: "file", name, file: () => Promise.reject(new DOMException("gone", "NotFoundError")) };
}

function folder(name: string, ...inside: Node[]): Node {
  return { kind: "folder", name, inside: async () => inside };
}

function locked(name: string): Node {
  return { kind: "folder", name, inside: () => Promise.reject(new DOMException("no", "NotReadableError")) };
}

const paths = (files: readonly { file: File; path: string }[]) =>
  files.map(({ file, path }) => (path ? `${path}/${file.name}` : file.name));

describe("folders", () => {
  test("are kept as folders, in the order of their names", async () => {
    const tree = folder(
      "album",
      file("10.jpg"),
      file("9.jpg"),
      folder("raw", file("1.raw")),
      folder("empty"),
    );
    const { files, unreadable, more } = await walk([tree, file("a.txt")]);
    expect(paths(files)).toEqual(["a.txt", "album/9.jpg", "album/10.jpg", "album/raw/1.raw"]);
    expect({ unreadable, more }).toEqual({ unreadable: [], more: false });
  });

  test("what can't be read is named with its folder, and the rest goes on", async () => {
    const { files, unreadable } = await walk([
      folder("a", locked("secret"), gone("b.txt"), file("c.txt")),
      gone("d"),
    ]);
    expect(paths(files)).toEqual(["a/c.txt"]);
    expect([...unreadable].sort()).toEqual(["a/b.txt", "a/secret", "d"]);
  });

  test("a folder without end ends", async () => {
    const endless = (name: string): Node => ({
      kind: "folder",
      name,
      inside: async () => [endless("in"), file("x")],
    });
    const { files, unreadable } = await walk([endless("out")]);
    expect(files.length).toBeLessThan(100);
    expect(unreadable).toHaveLength(1);
  });

  test("more files than a drop holds are not taken, and it says so", async () => {
    const many = Array.from({ length: MOST_FILES + 5 }, (_, index) => file(`${index}`));
    const { files, more } = await walk([folder("many", ...many)]);
    expect(files).toHaveLength(MOST_FILES);
    expect(more).toBe(true);
    expect((await walk([folder("few", ...many.slice(0, 3))], 3)).more).toBe(false);
  });

  test("what can't be read takes no place of what can", async () => {
    const { files, more } = await walk([gone("a"), gone("b"), file("c")], 1);
    expect({ names: paths(files).length + Number(more) }).toEqual({ names: 1 });
  });

  test("thousands are read many at a time, and not all at once", async () => {
    let [now, most] = [0, 0];
    const slow = (name: string): Node => ({
      kind: "file",
      name,
      async file() {
        now += 1;
        most = Math.max(most, now);
        await Promise.resolve();
        now -= 1;
        return new File([], name);
      },
    });
    const { files } = await walk(Array.from({ length: 3000 }, (_, index) => slow(`${index}`)));
    expect(files).toHaveLength(3000);
    expect(most).toBeGreaterThan(8);
    expect(most).toBeLessThanOrEqual(32);
  });

  test("a handle stays with its file", async () => {
    const handle = { kind: "file" } as FileSystemFileHandle;
    const { files } = await walk([{ kind: "file", name: "a", handle, file: async () => new File([], "a") }]);
    expect(files[0]?.handle).toBe(handle);
  });
});

describe("names", () => {
  test("what the wire would refuse is made fit, with its bytes and its extension", async () => {
    for (const [given, fit] of [
      ["a.txt", "a.txt"],
      ["文件.pdf", "文件.pdf"],
      ["a\\b.txt", "a_b.txt"],
      ["line\nbreak", "line_break"],
      ["..", "_"],
      ["", "_"],
      [`${"ä".repeat(200)}.jpeg`, `${"ä".repeat(125)}.jpeg`],
      ["x".repeat(300), "x".repeat(255)],
    ] as const) {
      expect(wireName(given)).toBe(fit);
    }
    const fit = fitFile(new File(["bytes"], "a\nb", { type: "text/plain", lastModified: 7 }));
    expect([fit.name, fit.type, fit.lastModified, await fit.text()]).toEqual([
      "a_b",
      "text/plain",
      7,
      "bytes",
    ]);
  });

  test("a path never leaves its folder, and has an end", () => {
    expect(wirePath(["a", "..", "b"])).toBe("a/_/b");
    expect(wirePath([])).toBe("");
    expect(wirePath(Array(100).fill("x".repeat(200))).length).toBeLessThanOrEqual(4096);
    expect(foldersOf("a/b/c.txt")).toEqual(["a", "b"]);
    expect(foldersOf("")).toEqual([]);
  });

  test("a picture of the clipboard is named by its time, any other file keeps its name", () => {
    expect(stamp(NOW)).toBe("2026-11-21 09.05.07");
    expect(named(new File([], "image.png"), "Picture", NOW).name).toBe("Picture 2026-11-21 09.05.07.png");
    expect(named(new File([], "图片.png"), "Picture", NOW).name).toBe("图片.png");
  });
});
