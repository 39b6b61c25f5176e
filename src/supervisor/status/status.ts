/** The status record: what is true, written whole at each change by the daemon and read back by anybody. */
import type { Layout } from '../../config/layout.ts';
import { errorCode, Exit, Failed, type Failure } from '../../system/failure.ts';
import { readIfThere } from '../../system/files/files.ts';
import { reasons } from '../../system/files/reasons.ts';
import { isAlive } from '../../system/process/process.ts';
import { parseStatus, type Status } from './status-schema.ts';

/** What a reader finds: a living daemon's status, the last words of a dead one, or nothing. */
export type FoundStatus =
  | {
      readonly daemon: 'alive';
      readonly status: Status;
      /** The daemon itself has just said it; else it is what it wrote last. */
      readonly heard: boolean;
    }
  | { readonly daemon: 'gone'; readonly last: Status | undefined };

/** What the file says; `findStatus` asks the daemon first. Failed `status-unreadable`. */
export function readStatus(layout: Layout): FoundStatus {
  const status = parse(textOf(layout.status));
  return status !== undefined && isAlive(status.daemon)
    ? { daemon: 'alive', status, heard: false }
    : { daemon: 'gone', last: status };
}

/** What is there and cannot be read is a failure, with words: to say that no daemon runs might be wrong. */
function textOf(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (error) {
    const { cause } = error as Error;
    // It is no regular file, which has been said.
    if (cause === undefined) throw error;
    throw new Failed(statusUnreadable(path, errorCode(cause) ?? String(error)), { cause });
  }
}

/** `why`: the system's code, or a sentence's end. */
export const statusUnreadable = (path: string, why: string): Failure => ({
  kind: 'status-unreadable',
  message: `Cannot read ${path}: ${reasons[why] ?? why}.`,
  hint: ['EACCES', 'EPERM'].includes(why)
    ? 'No daemon answers, and only the user who runs it can read its last status. Run this as that user or as root, or start the daemon.'
    : 'It must be a regular file of the user who runs the daemon. You can delete it; the daemon writes it again.',
  exit: Exit.noPermission,
});

function parse(text: string | undefined): Status | undefined {
  try {
    return parseStatus(JSON.parse(text ?? 'null'));
  } catch {
    return undefined;
  }
}
