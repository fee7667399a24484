/** Files to send, and what came of them. */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

export const MIB = 1024 * 1024;

/** A directory for a test file's own files. */
export class Workbench {
  private constructor(readonly directory: string) {}

  static async make(): Promise<Workbench> {
    return new Workbench(await mkdtemp(join(tmpdir(), "roomdrop-e2e-files-")));
  }

  /** A file of random bytes; its path. */
  async file(name: string, size: number): Promise<string> {
    const path = join(this.directory, name);
    const file = await open(path, "w");
    // Random once and numbered after: as hard to get right by chance, and quick to make by the gigabyte.
    const piece = randomBytes(Math.min(size, 4 * MIB));
    for (let offset = 0; offset < size; offset += piece.length) {
      if (piece.length >= 8) piece.writeBigUInt64LE(BigInt(offset), 0);
      await file.write(piece, 0, Math.min(piece.length, size - offset), offset);
    }
    await file.close();
    return path;
  }

  async clear(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 4 * MIB }), hash);
  return hash.digest("hex");
}
