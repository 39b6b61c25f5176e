/** Where ssh's configuration of this machine sets an option, or runs a command, for people. */
import { join } from 'node:path';
import { OthersFiles } from '../../system/files/others-files.ts';
import type { SystemPaths } from '../../host/system-paths.ts';
import { configLines, matching, runsCommand, setsOption, type ConfigLine } from './config-lines.ts';

/** Whose configuration, and where it lies; `tree` stands for /. */
interface Asked {
  readonly who: 'user' | 'root';
  readonly places: SystemPaths;
  readonly tree: string;
}

/** ` (FILE, line N and FILE, line N)`; empty where none is found, or to be read. */
export const whereSet = (name: string, asked: Asked): string =>
  whereLines(setsOption(name.toLowerCase()), asked);

/** The same of commands that ssh runs to know what counts for a host. */
export const whereRun = (asked: Asked): string => whereLines(runsCommand, asked);

function whereLines(isMeant: (line: ConfigLine) => boolean, { who, places, tree }: Asked): string {
  const home = who === 'root' ? places.rootHome : places.home;
  const system = join(tree === '' ? '/' : tree, 'etc/ssh');
  const files = [
    join(home, '.ssh/config'),
    join(system, 'ssh_config'),
    ...matching(join(system, 'ssh_config.d/*.conf')),
  ];
  const found = configLines(files, { read: new OthersFiles().read, home }).filter(isMeant);
  const where = found.map(({ file, line }) => `${file}, line ${line}`).join(' and ');
  return where === '' ? '' : ` (${where})`;
}
