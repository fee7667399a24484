// What the worker answers: ranges as RFC 9110 has them, names as RFC 6266 has them, and nothing that runs.
import { expect, test } from "vitest";
import { headOf, partOf, zipNames } from "./answer";
import { addressOf, atAddress } from "./entry";

const FILE = { name: "a.bin", type: "application/octet-stream", size: 1000, inline: false, ranges: true };

test("ranges are read as the standard says, and what is none is no range", () => {
  const parts: [string | null, number | null, unknown][] = [
    [null, 1000, { part: "all" }],
    ["bytes=0-", 1000, { part: "range", from: 0, to: 1000 }],
    ["bytes=0-0", 1000, { part: "range", from: 0, to: 1 }],
    ["bytes=10-19", 1000, { part: "range", from: 10, to: 20 }],
    ["bytes=990-5000", 1000, { part: "range", from: 990, to: 1000 }],
    ["bytes=-10", 1000, { part: "range", from: 990, to: 1000 }],
    ["bytes=-5000", 1000, { part: "range", from: 0, to: 1000 }],
    ["bytes=1000-", 1000, { part: "none" }],
    ["bytes=-0", 1000, { part: "none" }],
    ["bytes=0-", 0, { part: "none" }],
    ["bytes=20-10", 1000, { part: "all" }],
    ["bytes=-", 1000, { part: "all" }],
    ["bytes=0-1,5-6", 1000, { part: "all" }],
    ["lines=0-1", 1000, { part: "all" }],
    ["bytes=a-b", 1000, { part: "all" }],
    ["bytes=0-10", null, { part: "all" }],
  ];
  for (const [range, size, part] of parts) expect(partOf(range, size), `${range} of ${size}`).toEqual(part);
});

test("the head says how much comes, of how much", () => {
  const all = headOf(FILE, { part: "all" });
  expect([all.status, all.headers["content-length"], all.headers["accept-ranges"]]).toEqual([
    200,
    "1000",
    "bytes",
  ]);
  const part = headOf(FILE, { part: "range", from: 10, to: 20 });
  expect([part.status, part.headers["content-length"], part.headers["content-range"]]).toEqual([
    206,
    "10",
    "bytes 10-19/1000",
  ]);
  const none = headOf(FILE, { part: "none" });
  expect([none.status, none.headers["content-range"]]).toEqual([416, "bytes */1000"]);
  const live = headOf({ ...FILE, size: null }, { part: "all" });
  expect([live.headers["content-length"], live.headers["accept-ranges"]]).toEqual([undefined, undefined]);
  const zip = headOf({ ...FILE, ranges: false }, { part: "all" });
  expect([zip.headers["content-length"], zip.headers["accept-ranges"]]).toEqual(["1000", undefined]);
});

test("only pictures, sound and video are shown in place, and they run nothing", () => {
  const shown = (type: string, inline = true) => headOf({ ...FILE, type, inline }, { part: "all" }).headers;
  for (const type of ["image/png", "audio/webm;codecs=opus", "video/mp4", "IMAGE/JPEG"]) {
    expect(shown(type)["content-disposition"]).toMatch(/^inline/);
    expect(shown(type)["content-security-policy"]).toBe("sandbox");
  }
  for (const type of ["text/html", "image/svg+xml", "Image/SVG+xml", "application/pdf", "text/javascript"]) {
    expect(shown(type)["content-disposition"]).toMatch(/^attachment/);
  }
  expect(shown("image/png", false)["content-disposition"]).toMatch(/^attachment/);
  expect(shown("text/html")["x-content-type-options"]).toBe("nosniff");
});

test("any name can stand in a header, and comes back from the address", () => {
  for (const name of [
    "a.txt",
    'a"b\\c.txt',
    "100 % ünï (1)*'.txt",
    "文件 🦦.pdf",
    "a\u0000b\r\nx: y",
    "a;b=c",
  ]) {
    const { headers } = headOf({ ...FILE, name }, { part: "all" });
    const said = headers["content-disposition"] ?? "";
    expect(said).toMatch(/^attachment; filename="[^"\\%]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$/);
    expect(decodeURIComponent(/''(.*)$/.exec(said)?.[1] ?? "")).toBe(name);
    expect(atAddress(addressOf("t1", name))).toEqual({ id: "t1", name });
  }
});

test("what is no address of the worker's is left alone", () => {
  for (const path of [
    "/",
    "/sealed/",
    "/sealed/a",
    "/sealed//b",
    "/sealed/a/b/c",
    "/sealed/a/%",
    "/transfers/a/b",
  ]) {
    expect(atAddress(path)).toBeUndefined();
  }
});

test("names in a ZIP keep their folders, and equal ones are told apart", () => {
  const files = [
    { name: "a.txt", path: "" },
    { name: "a.txt", path: "x" },
    { name: "A.txt", path: "x" },
    { name: "a (2).txt", path: "" },
    { name: "a.txt", path: "" },
    { name: ".env", path: "" },
    { name: ".env", path: "" },
  ];
  expect(zipNames(files)).toEqual([
    "a.txt",
    "x/a.txt",
    "x/A (2).txt",
    "a (2).txt",
    "a (3).txt",
    ".env",
    ".env (2)",
  ]);
});
