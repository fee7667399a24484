// The package as others have it: packed, installed into a project of their own, compiled, bundled and run.
import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { joinRoom, memorySink } from "../src/sdk";
import { fileAt } from "../src/sdk/node";
import { BareBrowser } from "./BareBrowser";
import { Server } from "./Server";

declare global {
  interface Window {
    send: typeof import("../examples/send").send;
    receive: typeof import("../examples/receive").receive;
    server: string;
    received: Promise<string>;
  }
}

const run = promisify(execFile);
const HERE = new URL("..", import.meta.url).pathname;
const TOOLS = join(HERE, "node_modules/.bin");

let project = "";
let server: Server;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "roomdrop-package-"));
  server = await Server.start();
  const packed = await run("npm", ["pack", "--pack-destination", project], { cwd: HERE });
  const tarball = packed.stdout.trim().split("\n").at(-1) ?? "";
  await writeFile(join(project, "package.json"), '{ "name": "fresh", "private": true, "type": "module" }');
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...quiet, join(project, tarball)], { cwd: project });
  for (const name of await readdir(join(HERE, "examples"))) {
    await copyFile(join(HERE, "examples", name), join(project, name));
  }
}, 120_000);

afterAll(async () => {
  await server.stop();
  await rm(project, { recursive: true, force: true });
});

test("it brings its words and its licence, and nothing that it does not need", async () => {
  const inside = join(project, "node_modules/roomdrop-client");
  expect((await readdir(inside)).sort()).toEqual(["README.md", "dist-sdk", "package.json"]);
  expect(await readFile(join(inside, "dist-sdk/LICENSE"), "utf8")).toContain("Apache License");
  const { dependencies } = JSON.parse(await readFile(join(inside, "package.json"), "utf8"));
  expect(Object.keys(dependencies)).toEqual(["hash-wasm", "idb-keyval", "socket.io-client"]);
});

test.each(["bundler", "nodenext"])("its types hold for a strict project (%s)", async (moduleResolution) => {
  const use = `import { joinRoom, RoomdropError, type Incoming } from "roomdrop-client";
import { fileAt } from "roomdrop-client/node";
const room = await joinRoom("http://host", "room", { name: "Ada" });
await room.offer([await fileAt("a")], { keep: true });
for await (const drop of room.each("offered")) {
  const all: Incoming[] = await room.accept(drop);
  // @ts-expect-error: there is no such stage
  if (all[0]?.stage === "nowhere" || all[0]?.error instanceof RoomdropError) throw all[0].error;
}
`;
  await writeFile(join(project, "use.ts"), use);
  const options = {
    ...{
      target: "ES2022",
      lib: ["ES2023", "DOM", "DOM.Iterable"],
      types: ["node"],
      strict: true,
      noEmit: true,
    },
    ...{ module: moduleResolution === "bundler" ? "esnext" : "nodenext", moduleResolution },
    ...{ typeRoots: [join(HERE, "node_modules/@types")], exactOptionalPropertyTypes: true },
  };
  const files = ["use.ts", "send.ts", "receive.ts"];
  await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }));
  const said = await run(join(TOOLS, "tsc"), ["-p", project]).catch((error: { stdout: string }) => error);
  expect(said.stdout).toBe("");
});

/** Bytes of all scripts of a bundle of `text`. */
async function bundled(name: string, text: string): Promise<{ bytes: number; files: string[] }> {
  await writeFile(join(project, `${name}.js`), text);
  const out = join(project, name);
  const entry = join(project, `${name}.js`);
  const html = join(project, `${name}.html`);
  await writeFile(html, `<!doctype html><script type="module" src="${entry.replace(project, "")}"></script>`);
  const config = `export default { logLevel: "error", worker: { format: "es" }, build: { outDir: ${JSON.stringify(out)}, rolldownOptions: { input: ${JSON.stringify(html)} } } };`;
  await writeFile(join(project, `${name}.config.mjs`), config);
  await run(join(TOOLS, "vite"), ["build", "--config", `${name}.config.mjs`], { cwd: project });
  const files = await readdir(join(out, "assets"));
  const sizes = files.map(async (file) => (await readFile(join(out, "assets", file))).byteLength);
  return { bytes: (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0), files };
}

test("a bundle has what is used, the workers as files of their own, and not the rest", async () => {
  const one = await bundled(
    "one",
    'import { RoomdropError } from "roomdrop-client"; console.log(RoomdropError);',
  );
  const all = await bundled("all", 'import { joinRoom } from "roomdrop-client"; console.log(joinRoom);');
  expect(one.bytes).toBeLessThan(5000);
  expect(all.bytes).toBeGreaterThan(50_000);
  expect(one.files.filter((file) => file.includes("worker"))).toEqual([]);
  expect(all.files.filter((file) => file.includes("worker"))).toHaveLength(2);
});

test("the script for Node saves what is offered, byte for byte", async () => {
  const folder = join(project, "saved");
  await mkdir(folder);
  const script = spawn(process.execPath, ["archive.mjs", server.url, "archive", folder], { cwd: project });
  const said: string[] = [];
  script.stdout.on("data", (text) => said.push(String(text)));
  script.stderr.on("data", (text) => said.push(String(text)));
  const room = await joinRoom(server.url, "archive", { name: "Ada", storage: null });
  try {
    await expect.poll(() => room.members.map(({ name }) => name)).toContain("archive");
    const bytes = randomBytes(3_000_000);
    await writeFile(join(project, "big.bin"), bytes);
    const drop = await room.offer([await fileAt(join(project, "big.bin")), new File(["small"], "small.txt")]);
    await Promise.all(drop.transfers.map((transfer) => transfer.done()));
    await expect.poll(() => said.join("")).toMatch(/big.bin: 3000000 bytes[\s\S]*small.txt: 5 bytes/);
    const hash = (of: Uint8Array) => createHash("sha256").update(of).digest("hex");
    expect(hash(await readFile(join(folder, "big.bin")))).toBe(hash(bytes));
    expect((await readdir(folder)).sort()).toEqual(["big.bin", "small.txt"]);
  } finally {
    await room.leave();
    const ended = new Promise((done) => script.once("exit", done));
    script.kill();
    await ended;
  }
});

test("the examples for browsers send, receive and show a room, as bundled by Vite", async () => {
  const main = `import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { receive } from "./receive";
import { send } from "./send";
import { useRoom } from "./useRoom";
const asked = new URL(location.href).searchParams;
const server = asked.get("server");
function Members() {
  const room = useRoom(server, "examples", "Cy");
  return createElement("p", null, (room?.members ?? []).map(({ name }) => name).sort().join());
}
if (asked.has("show")) createRoot(document.body).render(createElement(Members));
Object.assign(window, { send, receive, server });
`;
  for (const name of ["react", "react-dom", "scheduler"]) {
    const from = JSON.stringify(join(HERE, "node_modules", name));
    await run(process.execPath, ["-e", `fs.symlinkSync(${from}, "node_modules/${name}")`], { cwd: project });
  }
  await bundled("examples", main);
  const site = await serve(join(project, "examples"));
  const browser = await BareBrowser.launch(join(project, "profile"));
  try {
    const address = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    const page = `${address}/examples.html?server=${encodeURIComponent(server.url)}`;
    // Each is someone else: a tab is one member of a room.
    const [tab, receiver, sender] = await Promise.all(
      ["&show", "", ""].map((how) => browser.tab(page + how)),
    );
    if (!tab || !receiver || !sender) throw new Error("no tab");
    const shown = () => tab.run(() => document.body.textContent);
    await expect.poll(shown).toBe("Cy");
    const bo = await joinRoom(server.url, "examples", { name: "Bo", storage: null, sink: memorySink() });
    await expect.poll(shown).toBe("Bo,Cy");
    await bo.leave();
    await expect.poll(shown).toBe("Cy");
    await expect.poll(() => receiver.run(() => window.server)).toBe(server.url);
    await expect.poll(() => sender.run(() => window.server)).toBe(server.url);
    await receiver.run(() => {
      const { receive, server } = window;
      const stop = new AbortController();
      window.received = new Promise((resolve) => {
        const take = async (name: string, file: Blob) => {
          resolve(`${name}: ${await file.text()}`);
          stop.abort();
        };
        receive(server, "examples", take, stop.signal).catch(() => undefined);
      });
    });
    await expect.poll(shown).toBe("Bo,Cy");
    const last = await sender.run(async () => {
      const told: string[] = [];
      await window.send(window.server, "examples", [new File(["hello"], "a.txt")], (words) =>
        told.push(words),
      );
      return told.at(-1);
    });
    expect(last).toBe("a.txt: 5 of 5");
    expect(await receiver.run(() => window.received)).toBe("a.txt: hello");
    await expect.poll(shown).toBe("Cy");
  } finally {
    await browser.stop();
    await new Promise((closed) => site.close(closed));
  }
});

async function serve(folder: string): Promise<HttpServer> {
  const types: Record<string, string> = { js: "text/javascript", html: "text/html" };
  const site = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://host").pathname;
    readFile(join(folder, path)).then(
      (bytes) => response.setHeader("content-type", types[path.split(".").at(-1) ?? ""] ?? "").end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
  return site;
}
