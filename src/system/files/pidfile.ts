/**
 * What we remember of a child for whoever comes after us: NAME.json, and beside it the plain NAME.pid that people expect.
 * The child's lock file says whether it lives; this says who it is.
 */
import { discard, readIfThere, writeWhole } from './files.ts';
import { identify, isAlive, type ProcessIdentity } from '../process/process.ts';

/** The two files of one child. */
export interface PidFiles {
  readonly plain: string;
  readonly record: string;
}

/** Writes both files. `program` is what the pid will be once its wrapper has become it (exec keeps pid and start time). */
export function writePid(files: PidFiles, pid: number, program: string): void {
  const identity = identify(pid);
  if (identity === undefined) return;
  writeWhole(files.record, `${JSON.stringify({ ...identity, program })}\n`, { durable: false });
  writeWhole(files.plain, `${pid}\n`, { durable: false, mode: 0o644 });
}

/** The recorded process if that very process is alive, else undefined: a missing, torn or stale file is nobody. */
export function readLive(files: PidFiles): ProcessIdentity | undefined {
  const recorded = parseIdentity(readIfThere(files.record));
  return recorded !== undefined && isAlive(recorded) ? recorded : undefined;
}

/** Forgets the child: only after it is gone. */
export function removePid(files: PidFiles): void {
  discard(files.record);
  discard(files.plain);
}

function parseIdentity(text: string | undefined): ProcessIdentity | undefined {
  if (text === undefined) return undefined;
  try {
    const json = JSON.parse(text) as Partial<ProcessIdentity> | null;
    return typeof json?.pid === 'number' &&
      Number.isSafeInteger(json.pid) &&
      json.pid > 0 &&
      typeof json.started === 'string' &&
      typeof json.boot === 'string' &&
      typeof json.program === 'string'
      ? { pid: json.pid, started: json.started, boot: json.boot, program: json.program }
      : undefined;
  } catch {
    // Half a record names nobody.
    return undefined;
  }
}
