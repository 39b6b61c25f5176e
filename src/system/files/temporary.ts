/** Folders for what is needed for a moment. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Exit, Failed, errorCode } from '../failure.ts';

/** Makes a folder whose name begins so; the caller removes it. Failed `no-temporary-files`, such as where /tmp is full or another's. */
export function temporaryFolder(prefix: string): string {
  const parent = tmpdir();
  try {
    return mkdtempSync(join(parent, prefix));
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    const failure = {
      kind: 'no-temporary-files',
      message: `No temporary files can be made in ${parent} (${code}).`,
      hint: 'Make room there, mend its mode (1777), or name another folder in TMPDIR.',
      exit: Exit.cannotCreate,
    };
    throw new Failed(failure, { cause: error });
  }
}
