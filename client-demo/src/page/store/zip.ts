/** Files that are here as one ZIP, with their folders, where no worker can make it on its way. Loaded when it is first asked for. */
import { downloadZip } from "client-zip";
import type { Incoming } from "../../sdk";

export async function zipped(files: readonly Incoming[]): Promise<Blob> {
  const entries = async function* () {
    for (const one of files) {
      const input = await one.file();
      const name = one.path ? `${one.path}/${one.name}` : one.name;
      yield { name, input, ...(one.modified ? { lastModified: new Date(one.modified) } : {}) };
    }
  };
  return downloadZip(entries()).blob();
}
