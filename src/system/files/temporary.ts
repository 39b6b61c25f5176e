/** Folders for what is needed for a moment. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Exit, Failed, errorCode } from '../failure.ts';
import { refusal } from './reasons.ts';

/** Makes a folder whose name begins so; the caller removes it. Failed `no-temporary-files`, such as where /tmp is full or another's. */
export function temporaryFolder(prefix: string): string {
  const parent = tmpdir();
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
