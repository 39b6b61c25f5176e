/** Another state directory that is a builder of the same user: both would want the same port, ssh alias, login job and line of Nix's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { layoutOf } from '../config/layout.ts';
import { oursIn } from '../system/advice.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { finalTarget } from '../system/files/final-target.ts';
import type { Installed } from './installed.ts';
import { includedDirectory, isSame, linesIn } from './directory/known-directory.ts';
import type { SystemPaths } from './system-paths.ts';
import { quotedWord } from '../system/shell.ts';

/** Fails when the user's ssh, or root, knows the builder of another directory that is there still. */
export function refuseSecondDirectory(
  known: Installed | undefined,
  { home }: Pick<SystemPaths, 'home'>,
  directory: string,
): void {
  const lines = linesIn(join(home, '.ssh/config'));
  const other = otherIncluded(lines, directory) ?? otherBuilder(known?.owner.directory, directory);
  if (other === undefined) return;
  throw new Failed(secondDirectory(other, directory));
}

/** `directory`: where a second one was asked for. */
export const secondDirectory = (other: string, directory: string): Failure => ({
  kind: 'second-directory',
  message: `You already have a builder in ${other}. Nothing was changed.`,
  hint: `A machine can have only one. To change that one, run: ${oursIn(quotedWord(other), 'configure')}. To have one in ${directory} instead, first run ${oursIn(quotedWord(other), 'unconfigure')}, which keeps its disk and keys.`,
  exit: Exit.usage,
});

/** The other builder whose ssh_config is taken in by these lines of our block. */
export function otherIncluded(lines: readonly string[], directory: string): string | undefined {
  return otherBuilder(includedDirectory(lines), directory);
}

/** That directory, if it is another than ours, and a builder. */
function otherBuilder(other: string | undefined, directory: string): string | undefined {
  if (other === undefined || isSame(other, directory)) return undefined;
  // Not there yet, by links that are.
  if (finalTarget(other) === finalTarget(directory)) return undefined;
  return existsSync(layoutOf(other).config) ? other : undefined;
}
