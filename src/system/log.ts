/** The daemon's log: one JSON a line, written at once (pino's default would lose the last lines of a killed process). */
import { readFileSync, renameSync, truncateSync } from 'node:fs';
import pino from 'pino';
import { Failed } from './failure.ts';
import { sizeIfThere } from './files/files.ts';
import { cannotWrite } from './files/cannot-write.ts';

/** As pino has them. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

/** Records one happening: a fixed event name in kebab-case, and its facts. */
export type Log = (level: Level, event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** A log that is a file. */
export type OpenLog = Log & {
  /** Goes on in a new file where somebody took the one that is open. */
  readonly keep: () => void;
};

interface LogOptions {
  readonly path: string;
  /** Whether debug lines are wanted, asked at each. Default: they are not. */
  readonly isVerbose?: () => boolean;
  /** Rotate when the file is larger, in bytes. Default 2 MiB. */
  readonly maxBytes?: number;
  /** Old files kept as PATH.1 (newest) to PATH.N. Default 3. */
  readonly keep?: number;
}

/** Opens (and from time to time rotates) a log file, or fails with `cannot-write`. A full disk loses lines, never the daemon. */
export function openLog({
  path,
  isVerbose = () => false,
  maxBytes = 2 * 1024 * 1024,
  keep = 3,
}: LogOptions): OpenLog {
  const destination = open(path);
  destination.on('error', () => undefined);
  const logger = pino(
    {
      base: { pid: process.pid },
      level: 'debug',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  let written = sizeIfThere(path) ?? 0;
  const log: Log = (level, event, fields) => {
    if (level === 'debug' && !isVerbose()) return;
    try {
      if (written > maxBytes) {
        rotate(path, keep);
        destination.reopen();
        written = 0;
      }
      // An estimate is enough: it only decides when to look for a new file.
      written += 160;
      logger[level]({ event, ...fields });
    } catch {
      // ENOSPC is thrown by the synchronous destination; the state is in status.json as well.
    }
  };
  return Object.assign(log, {
    keep: () => {
      if (sizeIfThere(path) === undefined) destination.reopen();
    },
  });
}

function open(dest: string) {
  try {
    cutTornLine(dest);
    return pino.destination({ dest, sync: true, mkdir: true, mode: 0o600, maxLength: 1_000_000 });
  } catch (error) {
    throw new Failed(cannotWrite(dest, error), { cause: error });
  }
}

/** A process that was killed while the disk was full leaves half a line, which would spoil the one behind it too. */
function cutTornLine(path: string): void {
  if ((sizeIfThere(path) ?? 0) === 0) return;
  const content = readFileSync(path);
  if (content.at(-1) !== newline) truncateSync(path, content.lastIndexOf(newline) + 1);
}

const newline = 0x0a;

/** PATH -> PATH.1 -> ... -> PATH.keep, the oldest replaced. */
export function rotate(path: string, keep: number): void {
  for (let n = keep; n >= 1; n--) {
    const from = n === 1 ? path : `${path}.${n - 1}`;
    if (sizeIfThere(from) !== undefined) renameSync(from, `${path}.${n}`);
  }
}

/** A log that nobody reads. */
export const silent: Log = () => undefined;
