/** Notices that a file changed. The only file that knows chokidar: it wakes us early, what is true is in the file. */
import { watch } from 'chokidar';
import { stampOf } from './stamp.ts';

export interface FileWatch {
  /**
   * To be called now and then: for systems that tell of no change. A host may have given all of its watches away (inotify(7),
   * max_user_instances), and some file systems tell of none. Costs a look at the file.
   */
  look(): void;
  close(): Promise<void>;
}

/**
 * Calls onChange after a file was made, replaced or written; bursts are one call. `seen`: its stamp when its content was last read, so
 * that what changed between that and this is noticed too.
 */
export function watchFile(path: string, onChange: () => void, seen = stampOf(path)): FileWatch {
  let lately = seen;
  const changed = () => {
    seen = lately = stampOf(path);
    onChange();
  };
  const watcher = watch(path, {
    ignoreInitial: true,
    persistent: false,
    // An editor's write in pieces is one change.
    awaitWriteFinish: { stabilityThreshold: 200, pollInterval: 50 },
  });
  watcher
    .on('add', changed)
    .on('change', changed)
    .on('error', () => undefined);
  return {
    look: () => {
      const before = lately;
      lately = stampOf(path);
      // Of two looks in which it is the same, it was not being written in the second. That it is gone is no change.
      if (lately !== seen && lately === before && isThere(lately)) changed();
    },
    close: () => watcher.close(),
  };
}

/** A stamp has several numbers; of a file that is not there it is a code. */
const isThere = (stamp: string): boolean => stamp.includes(' ');
