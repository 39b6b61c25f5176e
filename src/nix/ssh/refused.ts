/** Why ssh does not accept its configuration, for any host, and what a person does about it. */
import { statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { thisUser } from '../../system/host/user.ts';
import { quoted } from '../../system/plain-text.ts';
import { shellWord } from '../../system/shell.ts';
import { linesHere, type WhoseSsh } from './where-set.ts';

/** `words`: ssh's own. */
export function refusedIn(words: string, asked: WhoseSsh) {
  const last = words.trim().split('\n').slice(-3);
  const what = last.map((line) => quoted(line) ?? '').join(' | ');
  return { what, remedy: remedyOf(asked) };
}

/** The same in a sentence or two. */
export const describeRefused = ({ what, remedy }: ReturnType<typeof refusedIn>): string =>
  `ssh does not accept its configuration: ${what}. ${remedy}`;

/** ssh reads no configuration of a user's that somebody else can change (readconf.c); nothing else is looked for. */
function remedyOf(asked: WhoseSsh): string {
  const { who, systemPaths } = asked;
  const { uid, name } = who === 'root' ? { uid: 0, name: 'root' } : thisUser();
  const own = join(who === 'root' ? systemPaths.rootHome : systemPaths.home, '.ssh/config');
  for (const file of new Set([own, ...linesHere(asked).lines.map((line) => line.file)])) {
    const stats = statsOf(file);
    if (stats === undefined) continue;
    if (![0, uid].includes(stats.uid)) return changeOwner(name, file);
    if ((stats.mode & 0o022) !== 0) return closeFile(file);
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

const closeFile = (file: string): string => `Run: chmod go-w ${shellWord(file)}`;

/** ssh does not accept a line of its configuration. */
export const removeLine =
  'Remove that line. If another ssh needs it, put `IgnoreUnknown OPTION` above it.';
