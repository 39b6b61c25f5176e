/** Checks of the state directory: its modes, its locks, its keys. */
import { chmodSync, existsSync } from 'node:fs';
import type { Layout } from '../../config/layout.ts';
import { readIdentity } from '../../guest/identity/identity.ts';
import { directoryChanges, directoryProblems } from '../../setup/directories.ts';
import { openedByLists, type ListEntry } from '../../system/files/access-lists.ts';
import { isLocked, sectionLock } from '../../system/lock/lock.ts';
import type { CheckVerdict } from '../check-runner.ts';
import { quotedWord } from '../../system/shell.ts';
import { statsIfThere } from '../../system/stats.ts';

/** Whether the state directory can be used, and nobody else can look into it. `look`: another one in a test. */
export async function checkStateDirectory(
  layout: Layout,
  look: (paths: readonly string[]) => Promise<readonly ListEntry[]> = openToAny,
): Promise<CheckVerdict> {
  const [problem] = directoryProblems(layout);
  if (problem !== undefined)
    return {
      kind: 'bad',
      code: 'directory-unusable',
      what: `${layout.root} ${problem.message}.`,
      why: '',
      remedy: problem.hint,
    };
  const open = directoryChanges(layout).filter(({ kind }) => kind === 'make-private');
  const [listed] = await look([
    layout.root,
    layout.state,
    layout.keys,
    layout.images,
    layout.downloads,
  ]);
  if (listed !== undefined) return listedVerdict(listed, 'user');
  if (open.length === 0) return { kind: 'good', fact: layout.root };
  const paths = open.map(({ path }) => path);
  return {
    kind: 'bad',
    code: 'directory-open',
    what: `Other users can access ${paths.join(', ')}.`,
    why: 'Private keys, and what the guest boots, are kept there.',
    remedy: `chmod 700 ${paths.map(quotedWord).join(' ')}`,
    fix: () => {
      for (const path of paths) chmodSync(path, 0o700);
    },
  };
}

const openToAny = (paths: readonly string[]) => openedByLists(paths, 'anything');

/** Of a directory that its mode closes. */
export const listedVerdict = (
  { path, entry }: ListEntry,
  whose: 'user' | 'root',
): CheckVerdict => ({
  kind: 'bad',
  code: 'access-list-open',
  what: `Other users can access ${path}, by an entry of its access control list: ${entry}.`,
  why: 'macOS follows such a list whatever the mode of a directory says.',
  remedy: `${whose === 'root' ? 'sudo ' : ''}chmod -N ${quotedWord(path)}`,
});

/** Who runs, and who may write, is told by locks that the kernel keeps. */
export function checkLocks({ root, state, startLock }: Layout): CheckVerdict {
  if (!existsSync(state))
    return {
      kind: 'not-asked',
      code: 'never-started',
      why: 'the builder has not been started yet',
    };
  isLocked(sectionLock(startLock));
  return { kind: 'good', fact: `files in ${root} can be locked` };
}

/** Whether the keys are whole, and private as ssh wants them. */
export function checkKeys(layout: Layout): CheckVerdict {
  const names = [layout.clientKey, layout.rootKey, layout.hostKey];
  const open = names.filter((path) => ((statsIfThere(path)?.mode ?? 0) & 0o077) !== 0);
  if (open.length > 0)
    return {
      kind: 'bad',
      code: 'keys-open',
      what: `Other users can read ${open.join(', ')}.`,
      why: 'ssh refuses to use such a key.',
      remedy: `chmod 600 ${open.map(quotedWord).join(' ')}`,
      fix: () => {
        for (const path of open) chmodSync(path, 0o600);
      },
    };
  readIdentity(layout);
  return { kind: 'good', fact: keysFact };
}

/** Of the client, of root and of the guest. */
export const keysFact = 'three key pairs, private and readable by their owner only';
