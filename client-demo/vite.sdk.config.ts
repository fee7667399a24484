/**
 * How the SDK is built, for those who install it: each module a file of its own, so that bundlers leave out what is
 * not used; each worker one file that needs nothing else, beside the module that starts it; and all in one file, for
 * pages without a bundler. `new URL("./x.worker.js", import.meta.url)` stays as it is: bundlers know it, and a plain
 * module script finds the file by it.
 */
import { execFile } from "node:child_process";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { build, defineConfig, type InlineConfig, type Plugin } from "vite";

const OUT = "dist-sdk";
const HERE = import.meta.dirname;
const sdk = (name: string) => join(HERE, "src/sdk", `${name}.ts`);

export default defineConfig({
  publicDir: false,
  plugins: [workersStayFiles(), afterwards()],
  build: {
    target: "es2022",
    outDir: OUT,
    minify: false,
    modulePreload: false,
    lib: { entry: { index: sdk("index"), node: sdk("node") }, formats: ["es"] },
    rolldownOptions: {
      external: [/^node:/, "socket.io-client", "hash-wasm", "idb-keyval"],
      output: { preserveModules: true, preserveModulesRoot: join(HERE, "src/sdk") },
    },
  },
});

/** Vite would make an asset of each worker, at a path of its own. */
function workersStayFiles(): Plugin {
  return {
    name: "workers-stay-files",
    enforce: "pre",
    transform: (code) =>
      code.replaceAll(/new URL\("\.\/(\w+)\.worker\.ts", import\.meta\.url\)/g, '__worker("$1")'),
    renderChunk: (code) =>
      code.replaceAll(/__worker\("(\w+)"\)/g, 'new URL("./$1.worker.js", import.meta.url)'),
  };
}

/** What stands for itself: the workers, and all in one; then the types and the licence. */
function afterwards(): Plugin {
  return {
    name: "afterwards",
    async closeBundle() {
      await build(oneFile("digest.worker", "digest.worker.js"));
      await build(oneFile("opfs.worker", "opfs.worker.js"));
      await build(oneFile("index", "bundle.js"));
      await types();
      await copyFile(join(HERE, "../LICENSE"), join(OUT, "LICENSE"));
    },
  };
}

function oneFile(name: string, fileName: string): InlineConfig {
  return {
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    plugins: [workersStayFiles()],
    build: {
      target: "es2022",
      outDir: OUT,
      emptyOutDir: false,
      modulePreload: false,
      lib: { entry: sdk(name), formats: ["es"], fileName: () => fileName },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  };
}

/** Declarations, with the endings of files that Node's resolution asks for. */
async function types(): Promise<void> {
  await promisify(execFile)("npx", ["tsc", "-p", "tsconfig.sdk.json"], { cwd: HERE });
  const files = await readdir(OUT, { recursive: true });
  for (const file of files.filter((name) => name.endsWith(".d.ts"))) {
    const text = await readFile(join(OUT, file), "utf8");
    await writeFile(join(OUT, file), text.replaceAll(/(from "\.{1,2}\/[^"]+)"/g, '$1.js"'));
  }
}
