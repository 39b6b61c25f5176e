/** The output of a command that was ended before its time. */
import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';

interface Ending extends EventEmitter {
  /** A signal of ours has reached it. */
  readonly killed: boolean;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
}

/** It may have left others that hold its output open for as long as they like: nobody waits for those. */
export function dropOutputs(child: Ending): void {
  child.once('exit', () => {
    if (child.killed) for (const output of [child.stdout, child.stderr]) output?.destroy();
  });
}
