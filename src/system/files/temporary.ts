/** Folders for what is needed for a moment. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Exit, Failed, errorCode } from '../failure.ts';
import { refusal } from './reasons.ts';

/** Makes a folder whose name begins so; the caller removes it. Failed `no-temporary-files`, such as where /tmp is full or another's. */
export function temporaryFolder(prefix: string, parent = tmpdir()): string {
  try {
    return mkdtempSync(join(parent, prefix));
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    const failure = {
      kind: 'no-temporary-files',
      message: `Cannot create temporary files in ${parent}: ${refusal(error)}.`,
      hint: 'Create that directory if it is missing, free some space there, set its mode to 1777, or set TMPDIR to another directory.',
      exit: Exit.cannotCreate,
    };
    throw new Failed(failure, { cause: error });
  }
}

/** The same with a path that is short, as a socket's has to be, and one word for whoever splits at spaces: in /tmp where TMPDIR is neither. */
export const plainFolder = (prefix: string): string =>
  temporaryFolder(prefix, /^[\w./+-]{1,70}$/.test(tmpdir()) ? tmpdir() : '/tmp');
