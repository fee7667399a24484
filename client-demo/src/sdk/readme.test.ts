// The README's examples are the files in examples/, which are compiled and run.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const readme = readFileSync(new URL("README.md", ROOT), "utf8");

test.each(readdirSync(new URL("examples/", ROOT)))("the README has examples/%s as it is", (name) => {
  const text = readFileSync(new URL(`examples/${name}`, ROOT), "utf8");
  const blocks = [...readme.matchAll(/```(?:ts|js)\n(.*?)```/gs)].map(([, block]) => block);
  expect(blocks).toContain(text);
});

test("the README names everything that the doors let out", () => {
  const names = ["index.ts", "node.ts"].flatMap((door) => {
    const text = readFileSync(new URL(`src/sdk/${door}`, ROOT), "utf8");
    const listed = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(
      ([, all]) => all?.split(",") ?? [],
    );
    const declared = [...text.matchAll(/export (?:async )?function (\w+)/g)].map(([, name]) => name ?? "");
    return [...listed.map((one) => one.replace(/^\s*type /, "").trim()), ...declared].filter(Boolean);
  });
  const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(readme));
  expect(missing).toEqual([]);
});

test("the README names every error of this side", () => {
  const text = readFileSync(new URL("src/sdk/RoomdropError.ts", ROOT), "utf8");
  const [, list = ""] = /LocalErrorCode =(.*?);/s.exec(text) ?? [];
  const codes = [...list.matchAll(/\| "(\w+)"/g)].map(([, code]) => code ?? "");
  expect(codes.filter((code) => !readme.includes(`\`${code}\``))).toEqual([]);
});
