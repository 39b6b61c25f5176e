/** Programs in the place of flock(1), as it behaves on file systems that keep no locks. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unresponsive } from '../../src/system/lock/flock.ts';

/** What each does, and the reason that is to be told. ENOLCK is exit 71 of util-linux, anything else 65; BusyBox has 1 for all. */
export const lockless = {
  'NFS without a lock daemon': {
    script: 'echo "flock: 3: No locks available" >&2; exit 71',
    why: 'flock: No locks available',
  },
  'Lustre without flock': {
    script: 'echo "flock: 3: Function not implemented" >&2; exit 65',
    why: 'flock: Function not implemented',
  },
  'one that says no more than 1': { script: 'exit 1', why: 'flock exited with code 1' },
  'a server that does not answer': {
    script: 'exec sleep 1000',
    why: unresponsive,
  },
  'a script that hangs in a child': {
    script: 'sleep 1000; exit 0',
    why: unresponsive,
  },
} as const;
export type Lockless = keyof typeof lockless;

/** Puts such a `flock` into the directory; returns a PATH that begins with it. */
export function locklessPath(directory: string, kind: Lockless): string {
  const folder = join(directory, `lockless-${Object.keys(lockless).indexOf(kind)}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'flock'), `#!/bin/sh\n${lockless[kind].script}\n`);
  chmodSync(join(folder, 'flock'), 0o755);
  return `${folder}:${process.env['PATH'] ?? ''}`;
}
