/**
 * A page with nothing but the SDK, as it is packed, for tests that measure it: the page's own work is not in the
 * figures. Served from an origin of its own, beside the server.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { promisify } from "node:util";

const PACKAGE = new URL("../dist-sdk/", import.meta.url).pathname;
const PAGE = `<!doctype html><script type="module">import * as sdk from "/bundle.js"; window.sdk = sdk;</script>`;
const TYPES: Record<string, string> = { js: "text/javascript", html: "text/html" };

export class SdkPages {
  private constructor(private readonly server: Server) {}

  /** Builds the package, and serves it. */
  static async serve(): Promise<SdkPages> {
    await promisify(execFile)("npm", ["run", "build:sdk"], { cwd: new URL("..", import.meta.url) });
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? "/", "http://host").pathname);
      if (path === "/") return void response.setHeader("content-type", "text/html").end(PAGE);
      const file = join(PACKAGE, path);
      stat(file).then(
        () => {
          response.setHeader("content-type", TYPES[file.split(".").at(-1) ?? ""] ?? "text/plain");
          createReadStream(file).pipe(response);
        },
        () => response.writeHead(404).end(),
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new SdkPages(server);
  }

  /** A page whose `window.sdk` is the SDK, once it is loaded. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
