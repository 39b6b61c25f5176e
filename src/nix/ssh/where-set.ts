/** Where ssh's configuration of this machine sets an option, for people. */
import { join } from 'node:path';
import { OthersFiles } from '../../system/files/others-files.ts';
import type { SystemPaths } from '../../host/system-paths.ts';
import { configLines, matching, setsOption, type ConfigLine } from './config-lines.ts';

/** Whose configuration, and where it lies; `tree` stands for /. */
export interface WhoseSsh {
  readonly who: 'user' | 'root';
  readonly systemPaths: SystemPaths;
  readonly tree: string;
}

/** ` (FILE, line N and FILE, line N)`; empty where none is found, or to be read. */
export function whereSet(name: string, asked: WhoseSsh): string {
  const where = describeLines(linesHere(asked).lines.filter(setsOption(name.toLowerCase())));
  return where === '' ? '' : ` (${where})`;
}

const systemsFolder = ({ tree }: WhoseSsh) => join(tree === '' ? '/' : tree, 'etc/ssh');

/** What ssh reads behind anybody's own. */
export const systemsFile = (asked: WhoseSsh): string => join(systemsFolder(asked), 'ssh_config');

/** All lines of such a configuration; and the files that could not be read, with the reason. */
export function linesHere(asked: WhoseSsh) {
  const { who, systemPaths } = asked;
  const home = who === 'root' ? systemPaths.rootHome : systemPaths.home;
  const files = [
    join(home, '.ssh/config'),
    systemsFile(asked),
    ...matching(join(systemsFolder(asked), 'ssh_config.d/*.conf')),
  ];
  const { read, unread } = new OthersFiles();
  return { lines: configLines(files, { read, home }), unread };
}

/** In words; empty of none. */
export const describeLines = (lines: readonly ConfigLine[]): string =>
  lines.map(({ file, line }) => `${file}, line ${line}`).join(' and ');
