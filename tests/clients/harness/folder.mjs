// What lies in a folder, such as one that a server stores in.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** All files below a folder, by their paths in it; none where there is no folder. */
export function filesBelow(folder) {
  try {
    const names = readdirSync(folder, { recursive: true });
    return names.filter((name) => statSync(join(folder, name)).isFile());
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
