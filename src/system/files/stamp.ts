/** Whether a file, or a directory's names, may have changed since the last look. */
import { realpathSync, statSync } from 'node:fs';
import { errorCode } from '../failure.ts';

/**
 * Another for each change of a file (its mode and owner included), for another file in its place, and for each name that a directory
 * gets or loses; an error's code where it cannot be looked at. One look, cheap enough for every 5 s.
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

/**
 * Which file it is, links and all, of which size and time: another for each file that is put there whole. Why there is none, where
 * there is none that can be looked at. `lasts`: to be compared after a boot of the host, which may number devices and files anew.
 */
export function versionOf(path: string, { lasts = false } = {}): string {
  try {
    const real = realpathSync.native(path);
    const { dev, ino, size, mtimeMs } = statSync(real);
    return [real, ...(lasts ? [] : [dev, ino]), size, mtimeMs].join(' ');
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return code;
  }
}

/** Who may do what with a file, in octal; an error's code where that cannot be seen. */
export function modeOf(path: string): string {
  try {
    return (statSync(path).mode & 0o7777).toString(8);
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return code;
  }
}
