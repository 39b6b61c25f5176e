import type { Layout } from '../config/layout.ts';
import { Exit, type Failure } from '../system/failure.ts';
import { quotedWord } from '../system/shell.ts';

/** The daemon's lock is held, and whoever holds it does not say who it is: a daemon that begins or ends, or another `stop`. */
export const unidentifiedDaemon = (
  { root, daemonLock }: Pick<Layout, 'root' | 'daemonLock'>,
  kind: 'daemon-silent' | 'daemon-does-not-stop',
): Failure => ({
  kind,
  message: `A daemon for ${root} is starting or stopping and does not respond: ${daemonLock} is locked.`,
  hint: `Try again in a moment. To see which process holds the lock: lsof ${quotedWord(daemonLock)}`,
  exit: Exit.temporary,
});
