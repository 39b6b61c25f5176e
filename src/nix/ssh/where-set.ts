/** Where ssh's configuration of this machine sets an option, for people. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OthersFiles } from '../../system/files/others-files.ts';
import type { SystemPaths } from '../../host/system-paths.ts';
import { placesOfOption } from './effective.ts';

/** Whose configuration, and where it lies; `tree` stands for /. */
interface Asked {
  readonly who: 'user' | 'root';
  readonly places: SystemPaths;
  readonly tree: string;
}

/** ` (FILE, line N and FILE, line N)`; empty where none is found, or to be read. */
export function whereSet(name: string, { who, places, tree }: Asked): string {
  const home = who === 'root' ? places.rootHome : places.home;
  const at = (path: string) => join(tree === '' ? '/' : tree, path);
  const files = [
    join(home, '.ssh/config'),
    at('etc/ssh/ssh_config'),
    ...namesIn(at('etc/ssh/ssh_config.d')),
  ];
  const found = placesOfOption(name.toLowerCase(), files, { read: new OthersFiles().read, home });
  const where = found.map(({ file, line }) => `${file}, line ${line}`).join(' and ');
  return where === '' ? '' : ` (${where})`;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    // None, or not for us to read.
    return [];
  }
}
