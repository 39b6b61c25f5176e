/** A file that a person has named for us to write. */
import { type Stats } from 'node:fs';
import { errorCode, Exit, Failed, type Failure } from '../system/failure.ts';
import { writeWhole } from '../system/files/files.ts';
import { linkStatsIfThere } from '../system/stats.ts';

/** Replaces it whole. Failed `report-misled` for another user's link, `cannot-write`. */
export function writeNamed(path: string, text: string, mode: number): void {
  refuseOthersLink(path);
  writeWhole(path, text, { mode });
}

/** As a kernel that protects links would: in a directory where everybody may write, somebody may lead us to a file of our own. */
export function refuseOthersLink(path: string): void {
  const found = lookAt(path);
  if (found?.isSymbolicLink() !== true || found.uid === process.geteuid?.()) return;
  throw new Failed(misled(path));
}

/** Undefined where it cannot be looked at: nor can it be written then, and whoever writes says why. */
function lookAt(path: string): Stats | undefined {
  try {
    return linkStatsIfThere(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Written through it, the report would be another user's to read. */
export const misled = (path: string): Failure => ({
  kind: 'report-misled',
  message: `${path} is a symbolic link that belongs to another user; no report was written.`,
  hint: 'Choose a file in a directory of your own.',
  exit: Exit.cannotCreate,
});
