/** What another program shares becomes a drop to be: within bounds, whatever its form holds. */
import { expect, test } from "vitest";
import { isShare, shareOf } from "../sw/shelf";
import { gatheredFrom } from "./shared";

test("a share's files and words are taken, each line once", () => {
  const form = new FormData();
  form.append("files", new File(["a"], "a.txt"));
  form.append("files", new File(["b"], "b.txt"));
  form.append("files", "not a file");
  form.append("title", "A page");
  form.append("text", "https://example.com/ ");
  form.append("url", "https://example.com/");
  const share = shareOf(form, 10, 1000);
  expect(share.files.map(({ name }) => name)).toEqual(["a.txt", "b.txt"]);
  expect(share.text).toBe("A page\nhttps://example.com/");
});

test("a share has bounds", () => {
  const form = new FormData();
  for (let one = 0; one < 20; one++) form.append("files", new File([], `${one}`));
  form.append("text", "x".repeat(5000));
  const share = shareOf(form, 10, 1000);
  expect([share.files.length, share.text.length]).toEqual([10, 1000]);
});

test("files come first; words alone are text", () => {
  const file = new File([], "a\nb");
  expect(gatheredFrom([file], "words")).toMatchObject({ files: [{ path: "" }], unreadable: [], more: false });
  expect(gatheredFrom([file], "words").text).toBeUndefined();
  expect(gatheredFrom([file], "").files[0]?.file.name).toBe("a_b");
  expect(gatheredFrom([], "words").text).toBe("words");
});

test("what else may stand there is no share", () => {
  for (const odd of [undefined, null, 1, {}, { files: [1], text: "" }, { files: [], text: 1 }]) {
    expect(isShare(odd)).toBe(false);
  }
  expect(isShare({ files: [], text: "" })).toBe(true);
});
