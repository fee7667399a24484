/** The real server, started for a test file on a port of the system's choice, and ended with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const BINARY = resolve(process.env.ROOMDROP_BIN ?? "../target/release/roomdrop");

export class Server {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    /** Such as `http://127.0.0.1:41234`. */
    readonly url: string,
  ) {}

  /** `settings` are environment variables, over those that every test has. */
  static async start(settings: Record<string, string> = {}): Promise<Server> {
    const directory = await mkdtemp(join(tmpdir(), "roomdrop-e2e-"));
    const child = spawn(BINARY, ["--listen", "127.0.0.1:0"], {
      env: {
        ...process.env,
        ROOMDROP_LOG__LEVEL: "warn",
        ROOMDROP_FETCH__ENABLED: "true",
        ROOMDROP_FETCH__ALLOW_PRIVATE: "true",
        ...settings,
      },
      cwd: directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    return new Server(child, directory, await address(child));
  }

  /** From now on nothing more can be stored: where the folder was, there is a file. */
  async breakStorage(): Promise<void> {
    const data = join(this.directory, "data");
    await rm(data, { recursive: true, force: true });
    await writeFile(data, "");
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.child.once("exit", done));
    if (this.child.exitCode === null && this.child.kill("SIGKILL")) await ended;
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The address in the first line that has one. */
function address(child: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    child.once("error", failed);
    child.once("exit", (code) =>
      failed(new Error(`${BINARY} ended with ${code} before it said its address`)),
    );
    if (!child.stdout) return;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
      if (url) found(url);
    });
  });
}
