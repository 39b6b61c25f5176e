/** The state directory and what is in it: whether it can be ours, and making it so. */
import { chmodSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '../config/layout.ts';
import type { Problem } from '../domain/problem.ts';
import { errorCode, Exit, Failed, type Failure } from '../system/failure.ts';
import { isPassage, makeDirectory } from '../system/files/files.ts';
import { cannotWrite } from '../system/files/cannot-write.ts';
import { plainText } from '../system/plain-text.ts';
import { shellWord } from '../system/shell.ts';
import { readLegacy } from './legacy.ts';
import {
  closeDirectory,
  distrustOf,
  fileInPlaceOf,
  type Distrust,
} from '../host/directory/state-directory.ts';
import { mayBeOurs } from '../host/directory/directory-mark.ts';
import { quotedWord } from '../system/shell.ts';
import { statsIfThere } from '../system/stats.ts';

/** What stands in the way on the disk, as opposed to in the name (config/layout.ts). */
export function directoryProblems(layout: Layout): Problem[] {
  const { root } = layout;
  const problem = problemOf(root);
  const file = fileInPlaceOf(root);
  if (file !== undefined)
    return problem(
      file === root ? 'is a file, not a directory' : `is below ${file}, which is a file`,
      'Move it away, or choose another directory with -d.',
    );
  const others = distrustProblems(layout);
  if (others.length > 0) return others;
  return isTaken(layout)
    ? problem(
        'contains files that linuxkit-builder did not create',
        'Use -d to choose a directory that is empty or does not exist yet.',
      )
    : [];
}

const problemOf =
  (root: string) =>
  (message: string, hint: string): Problem[] => [
    { path: 'state directory', value: root, message, hint },
  ];

/** What of that others have to do with, or with what it will be in; found without reading anything of theirs. */
export function distrustProblems(layout: Layout): Problem[] {
  // That is no doing of others, and is said beside what else is wrong.
  const isNoPlace = fileInPlaceOf(layout.root) !== undefined;
  const distrust = isNoPlace ? undefined : distrustOf(layout);
  return distrust === undefined || distrust.kind === 'open'
    ? []
    : problemOf(layout.root)(...describeOthers(distrust));
}

/** Whose it is: what is wrong with that, and what helps. */
export function describeOthers(
  distrust: Exclude<Distrust, { kind: 'open' }>,
): readonly [message: string, hint: string] {
  switch (distrust.kind) {
    case 'foreign':
      return [
        `belongs to another user (uid ${distrust.uid})`,
        'Run configure as the user who owns the daemon, or choose another directory with -d.',
      ];
    case 'planted':
      return [
        `is writable by other users, and contains ${plainText(distrust.path)}, which belongs to one of them (uid ${distrust.uid})`,
        'See what it is, and delete it. Look at config.json as well. Or choose another directory with -d.',
      ];
    case 'loose':
      return [
        `is writable by other users, as is ${plainText(distrust.path)} in it`,
        `Check its contents. If they are yours, run: chmod go-w ${quotedWord(plainText(distrust.path))}`,
      ];
    case 'below-others':
      return [
        `is in ${distrust.path}, which other users can change`,
        `If it is yours, run: chmod go-w ${quotedWord(distrust.path)}. Otherwise use -d to choose a directory whose parent directories nobody else can change.`,
      ];
  }
}

/** By somebody's files; linuxkit-nix's are taken over when that is asked for. */
const isTaken = (layout: Layout): boolean =>
  !mayBeOurs(layout) &&
  readLegacy(layout) === undefined &&
  !existsSync(join(layout.root, 'linuxkit-nix'));

/** A directory that has to be made, or made private. */
export interface DirectoryChange {
  readonly path: string;
  readonly kind: 'make' | 'make-private';
}

/** What is to be done so that ours exist and nobody else can look into them. */
export function directoryChanges(layout: Layout): DirectoryChange[] {
  const { root, keys, state, images, downloads } = layout;
  return [root, keys, state, images, downloads].flatMap((path): DirectoryChange[] => {
    const stats = statsIfThere(path);
    // Those of images and packages are made with the first of them.
    const isLater = path === images || path === downloads;
    if (stats === undefined) return isLater ? [] : [{ path, kind: 'make' }];
    if (isLater && (stats.mode & 0o022) === 0) return [];
    const isMeant = path !== keys && isPassage(stats.mode);
    return (stats.mode & 0o077) === 0 || isMeant ? [] : [{ path, kind: 'make-private' }];
  });
}

/** Failed `no-modes` where others could look into it all the same: neither we nor ssh would keep a key there; and as {@link closeDirectory}. */
export function applyDirectoryChange({ path, kind }: DirectoryChange, layout: Layout): void {
  if (kind === 'make') makeDirectory(path);
  else closeDirectory(path, layout, closeToOthers);
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0 && !isPassage(mode)) throw new Failed(noModes(path));
}

function closeToOthers(path: string): void {
  try {
    chmodSync(path, 0o700);
  } catch (error) {
    const code = errorCode(error) ?? '';
    const isLacking = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes(code);
    // Of a directory that is marked immutable, the system says the same as of FAT (chmod(2)).
    const marked = code === 'EPERM' ? process.platform : undefined;
    throw new Failed(isLacking ? noModes(path, marked) : cannotWrite(path, error), {
      cause: error,
    });
  }
}

/** `marked`: the system where the reason may be a mark instead. */
export function noModes(path: string, marked?: NodeJS.Platform): Failure {
  const lacking = `Cannot make ${path} private: its file system does not keep permissions, as with FAT, exFAT and some shared folders`;
  const elsewhere = 'Use -d to choose a directory on another file system';
  return {
    kind: 'no-modes',
    message: marked === undefined ? `${lacking}.` : `${lacking}, or it is marked immutable.`,
    hint:
      marked === undefined
        ? `${elsewhere}.`
        : `${elsewhere}, or remove the mark: ${unmark(marked)} ${shellWord(path)}`,
    exit: Exit.cannotCreate,
  };
}

/** On macOS users may mark what is theirs (chflags(1)); on Linux only root does (chattr(1)). */
const unmark = (platform: NodeJS.Platform): string =>
  platform === 'darwin' ? 'chflags nouchg' : 'sudo chattr -i';
