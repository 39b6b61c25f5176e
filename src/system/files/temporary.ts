/** Folders for what is needed for a moment. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Exit, Failed, errorCode, type Failure } from '../failure.ts';
import { refusal } from './reasons.ts';

/** Makes a folder whose name begins so; the caller removes it. Failed `no-temporary-files`, such as where /tmp is full or another's. */
export function temporaryFolder(prefix: string, parent = tmpdir()): string {
  try {
    return mkdtempSync(join(parent, prefix));
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new Failed(noTemporaryFiles(parent, error), { cause: error });
  }
}

/** Removes one with what is in it. What cannot be removed stays there, where nobody needs its place. */
export function discardFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}

/** A system error from there, in words. */
export const noTemporaryFiles = (parent: string, error: unknown): Failure => ({
  kind: 'no-temporary-files',
  message: `Cannot create temporary files in ${parent}: ${refusal(error)}.`,
  hint: 'Create that directory if it is missing, free some space there, set its mode to 1777, or set TMPDIR to another directory.',
  exit: Exit.cannotCreate,
});

/**
 * Where a path is short, as a socket's has to be, and one word for whoever splits at spaces: TMPDIR, where it is both, and /tmp. A daemon
 * may outlive its TMPDIR, as it has that of the shell that started it.
 */
export const plainParents = (): readonly string[] =>
  /^[\w./+-]{1,70}$/.test(tmpdir()) ? [tmpdir(), '/tmp'] : ['/tmp'];

/** {@link temporaryFolder} in the first of these places that takes it; Failed as in the first of all. */
export function plainFolder(prefix: string, parents = plainParents()): string {
  const failures: unknown[] = [];
  for (const parent of parents)
    try {
      return temporaryFolder(prefix, parent);
    } catch (error) {
      failures.push(error);
    }
  throw failures[0];
}
