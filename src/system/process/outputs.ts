/** What is left of a command that was ended before its time. */
import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

interface Ending extends EventEmitter {
  /** A signal of ours has reached it. */
  readonly killed: boolean;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  unref(): void;
}

/** It may have left others that hold its output open for as long as they like: nobody waits for those. */
export function dropOutputs(child: Ending): void {
  child.once('exit', () => {
    if (child.killed) for (const output of [child.stdout, child.stderr]) output?.destroy();
  });
}

/**
 * Settles where a signal of ours is refused: a command that has become root, by sudo, is not ours to end, and ends when it likes. We let go
 * of it, so that nothing waits for it.
 */
export const outOfReach = (child: Ending): Promise<undefined> =>
  new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.syscall !== 'kill' || error.code !== 'EPERM') return;
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
      child.unref();
      resolve(undefined);
    });
  });
