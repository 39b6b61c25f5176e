/** By which name a user's builder is known: a directory has as many names as there are links to it, and its default goes by the environment. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { layoutOf } from '../../config/layout.ts';
import { errorCode, Failed } from '../../system/failure.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { readInstalled, type Installed } from '../installed.ts';
import { blockLines } from '../managed-block.ts';
import type { SystemPaths } from '../system-paths.ts';

/** The state directory that root, or the user's ssh, knows as this user's; undefined where neither does. */
export function knownDirectory(systemPaths: SystemPaths): string | undefined {
  return (
    toldToRoot(systemPaths) ?? includedDirectory(linesIn(join(systemPaths.home, '.ssh/config')))
  );
}

/** The builder of this machine that a configuration declares, where its daemon's directory lets us in to ask: as its group may. */
export function declaredBuilder(systemPaths: SystemPaths): Installed | undefined {
  try {
    const installed = readInstalled(systemPaths.roots.installed);
    if (installed?.declared === undefined) return undefined;
    const { directory, uid } = installed.owner;
    const { state } = layoutOf(directory);
    accessSync(state, constants.X_OK);
    return statSync(directory).uid === uid && statSync(state).uid === uid ? installed : undefined;
  } catch (error) {
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
    return undefined;
  }
}

function toldToRoot(systemPaths: SystemPaths): string | undefined {
  try {
    const owner = readInstalled(systemPaths.roots.installed)?.owner;
    return owner?.uid === process.getuid?.() ? owner?.directory : undefined;
  } catch (error) {
    // What is wrong with that record is said by whoever needs it.
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** The directory whose ssh_config is taken in by these lines of our block. */
export function includedDirectory(lines: readonly string[]): string | undefined {
  const path = /^Include "(\/.*\/ssh_config)"$/.exec(lines.join('\n'))?.[1];
  return path && dirname(path);
}

/** The lines of our block in a file. */
export function linesIn(path: string): readonly string[] {
  // Missing, a pipe, or not for us to read: who changes it says so.
  return blockLines(Buffer.from(new OthersFiles().read(path) ?? '')) ?? [];
}

/** The name by which a directory is known already, if it is that one; else the name as given. */
export function knownName(directory: string, systemPaths: SystemPaths): string {
  const known = knownDirectory(systemPaths);
  return known !== undefined && isSame(known, directory) ? known : directory;
}

/** Where a directory that somebody meant without naming it is none of a builder's: the one that is. */
export function elsewhereThan(directory: string, systemPaths: SystemPaths): string | undefined {
  const { config, state } = layoutOf(directory);
  if (existsSync(config) || existsSync(state)) return undefined;
  const known = knownDirectory(systemPaths);
  return known !== undefined && existsSync(layoutOf(known).config) ? known : undefined;
}

/** By device and inode: links, case and mounts make many names of one. */
export function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map(look);
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function look(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}
