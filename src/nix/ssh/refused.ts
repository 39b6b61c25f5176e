/** Why ssh does not accept its configuration, for any host, and what a person does about it. */
import { statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { thisUser } from '../../system/host/user.ts';
import { quoted } from '../../system/plain-text.ts';
import { shellWord } from '../../system/shell.ts';
import { linesHere, systemsFile, type WhoseSsh } from './where-set.ts';

/** `words`: ssh's own; `me`: who is to mend it. */
export function refusedIn(words: string, asked: WhoseSsh, me = process.geteuid?.()) {
  const last = words.trim().split('\n').slice(-3);
  const what = last.map((line) => quoted(line) ?? '').join(' | ');
  return { what, remedy: remedyOf(asked, me) };
}

/** The same in a sentence or two. */
export const describeRefused = ({ what, remedy }: ReturnType<typeof refusedIn>): string =>
  `ssh does not accept its configuration: ${what}. ${remedy}`;

/** ssh reads nothing that somebody else can change, but for the system's own file (readconf.c); nothing else is looked for. */
function remedyOf(asked: WhoseSsh, me: number | undefined): string {
  const { who, systemPaths } = asked;
  const { uid, name } = who === 'root' ? { uid: 0, name: 'root' } : thisUser();
  const own = join(who === 'root' ? systemPaths.rootHome : systemPaths.home, '.ssh/config');
  const files = new Set([own, ...linesHere(asked).lines.map((line) => line.file)]);
  files.delete(systemsFile(asked));
  for (const file of files) {
    const stats = statsOf(file);
    if (stats === undefined) continue;
    if (![0, uid].includes(stats.uid)) return changeOwner(name, file);
    if ((stats.mode & 0o022) !== 0) return closeFile(file, me === 0 || stats.uid === me);
  }
  return removeLine;
}

function statsOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    // Not there, or not for us to see.
    return undefined;
  }
}

export const changeOwner = (name: string, file: string): string =>
  `Only you and root may own that file. Run: sudo chown ${name} ${shellWord(file)}`;

export const closeFile = (file: string, isMine: boolean): string =>
  `Run: ${isMine ? '' : 'sudo '}chmod go-w ${shellWord(file)}`;

/** ssh does not accept a line of its configuration. */
export const removeLine =
  'Remove that line. If another ssh needs it, put `IgnoreUnknown OPTION` above it.';
