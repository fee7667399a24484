/** The tray holds what one drop may hold, no file twice, and pictures of the first few pictures. */
import { expect, test } from "vitest";
import { worthATry } from "./preview";
import {
  add,
  addToTray,
  clearTray,
  MOST_PREVIEWS,
  nextPreview,
  removeFromTray,
  type Staged,
  tray,
  trayTotal,
} from "./tray";

function given(name: string, path = "", content = "x") {
  return { file: new File([content], name, { lastModified: 1 }), path };
}

function picture(id: number, preview?: number): Staged {
  const file = new File(["x"], `${id}.png`, { type: "image/png" });
  return { id, file, path: "", ...(preview ? { preview: new Blob(["x".repeat(preview)]) } : {}) };
}

test("files are added and removed before anything is sent, with a total", () => {
  expect(addToTray([given("a", "", "12345"), given("b", "f", "12")])).toEqual({ over: 0, same: 0 });
  expect(trayTotal.value).toEqual({ files: 2, bytes: 7 });
  const [first] = tray.value;
  removeFromTray(first?.id ?? -1);
  expect(tray.value.map(({ file }) => file.name)).toEqual(["b"]);
  clearTray();
  expect(trayTotal.value).toEqual({ files: 0, bytes: 0 });
});

test("a file that is there already is not added again, one of the same name elsewhere is", () => {
  let id = 0;
  const first = add([], [given("a"), given("a"), given("a", "folder")], () => ++id);
  expect(first).toMatchObject({ same: 1, over: 0 });
  expect(first.files).toHaveLength(2);
  expect(add(first.files, [given("a"), given("a", "", "longer")], () => ++id)).toMatchObject({ same: 1 });
});

test("more than a drop holds is not taken, and counted", () => {
  const files = Array.from({ length: 7 }, (_, index) => given(`${index}`));
  expect(add([], files, () => 1, 5)).toMatchObject({ over: 2, same: 0 });
});

test("the first pictures get a preview, as many as the wire takes", () => {
  const none = new Set<number>();
  expect(nextPreview([picture(1), picture(2)], none)?.id).toBe(1);
  expect(nextPreview([picture(1), picture(2)], new Set([1]))?.id).toBe(2);
  expect(nextPreview([picture(1)], new Set([1]))).toBeUndefined();
  const made = Array.from({ length: MOST_PREVIEWS }, (_, index) => picture(index, 4096));
  expect(nextPreview([...made.slice(1), picture(99)], none)?.id).toBeDefined();
  expect(nextPreview([...made, picture(99)], none)).toBeUndefined();
});

test("all previews of a drop stay within what the wire takes, however large each is", () => {
  const made = Array.from({ length: 7 }, (_, index) => picture(index, 6500));
  expect(nextPreview([...made, picture(99)], new Set())).toBeUndefined();
});

test("only pictures that a browser decodes, and not huge ones, are looked at", () => {
  expect(worthATry({ type: "image/png", size: 1000 })).toBe(true);
  for (const [type, size] of [
    ["image/svg+xml", 10],
    ["text/html", 10],
    ["image/png", 0],
    ["image/png", 1e9],
  ] as const) {
    expect(worthATry({ type, size })).toBe(false);
  }
});

test("where no picture can be made the file is offered without", async () => {
  addToTray([{ file: new File(["x"], "a.png", { type: "image/png" }), path: "" }]);
  await Promise.resolve();
  expect(tray.value[0]?.preview).toBeUndefined();
  clearTray();
});
