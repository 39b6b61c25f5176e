/** Whether a file, or a directory's names, may have changed since the last look: one look, cheap enough for every 5 s. */
import { statSync } from 'node:fs';
import { errorCode } from '../failure.ts';

/**
 * Another for each change of a file (its mode and owner included), for another file in its place, and for each name that a directory
 * gets or loses; an error's code where it cannot be looked at.
 */
export function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return code;
  }
}
