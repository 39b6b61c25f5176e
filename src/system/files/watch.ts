/** Notices that a file changed. The only file that knows chokidar: it wakes us early, what is true is in the file. */
import { watch } from 'chokidar';

/** Calls onChange after a file was made, replaced or written; bursts are one call. The returned function ends it. */
export function watchFile(path: string, onChange: () => void): () => Promise<void> {
  const watcher = watch(path, {
    ignoreInitial: true,
    persistent: false,
    // An editor's write in pieces is one change.
    awaitWriteFinish: { stabilityThreshold: 200, pollInterval: 50 },
  });
  watcher
    .on('add', onChange)
    .on('change', onChange)
    .on('error', () => undefined);
  return () => watcher.close();
}
