/**
 * Keeps the files of a running builder where a cleaner takes old or empty ones: what went away is given its name again, and what would
 * look old is touched. docs/decisions/lost-directory.md says which loss ends the daemon all the same.
 */
import { linkSync, lutimesSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import type { Launch } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed, errorCode } from '../../system/failure.ts';
import { discard, readIfThere } from '../../system/files/files.ts';
import type { Log } from '../../system/log.ts';
import { readLive, writePid, type PidFiles } from '../../system/files/pidfile.ts';
import { identify } from '../../system/process/process.ts';
import { linkStatsIfThere } from '../../system/stats.ts';

/** A cleaner that takes what is a day old finds nothing. */
const touchEveryMs = 3_600_000;

interface UpkeepOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the state directory is still the one that we have locked. */
  readonly isOurs: () => boolean;
  /** Make again what only their owners can, in the state directory; nothing where all is there. */
  readonly keepers: readonly (() => Promise<void> | void)[];
  /** The same elsewhere. */
  readonly keepElsewhere?: () => Promise<void>;
}

export class Upkeep {
  readonly #options: UpkeepOptions;
  #touched: number;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#touched = options.clock.monotonic();
  }

  /** A look, every 5 s. `namesToo`: files in the state directory may be gone. */
  async tick(namesToo = true): Promise<void> {
    const { layout, clock, log, isOurs, keepers, keepElsewhere } = this.#options;
    const isOld = clock.monotonic() - this.#touched >= touchEveryMs;
    if ((namesToo || isOld) && !isOurs()) return;
    for (const keep of [...(keepElsewhere ? [keepElsewhere] : []), ...(namesToo ? keepers : [])])
      try {
        await keep();
      } catch (error) {
        // On a full disk, for instance: the next look will do.
        if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
        log('debug', 'not-kept', { why: String(error) });
      }
    if (!isOld || !isOurs()) return;
    this.#touched = clock.monotonic();
    for (const path of aging(layout)) touch(path, clock.now());
  }
}

/** Files of a process in which all was well: those that have not changed since are not read again, every 5 s for days. */
const wellIn = new Map<string, string>();

/** Writes a process's record where it is not there, in part or whole, or is of another process: a killed daemon leaves that of its child. */
export function keepPid(files: PidFiles, pid: number, program: string): void {
  const version = () => `${pid} ${changeOf(files.record)} ${changeOf(files.plain)}`;
  if (wellIn.get(files.record) === version()) return;
  const isKept = readLive(files)?.pid === pid && readIfThere(files.plain) === `${pid}\n`;
  // What was just written is well: a program that is a script has the name of its shell, and would be written of again and again.
  if (!isKept) writePid(files, pid, program);
  wellIn.set(files.record, version());
}

/** Another for each change of the file, or of another in its place, by anybody. */
function changeOf(path: string): string {
  const stats = linkStatsIfThere(path);
  return stats === undefined ? 'none' : `${stats.ino} ${stats.size} ${stats.ctimeMs}`;
}

/** A second name of a socket: whoever listens on it could not give it its first one again. */
const spareOf = (socket: string): string => `${socket}.spare`;

/** Sees that a child's socket keeps its name for as long as the child lives. */
export function keepSocket(socket: string): void {
  const [there, spare] = [inodeOf(socket), inodeOf(spareOf(socket))];
  if (there === spare) return;
  if (there === undefined) return link(spareOf(socket), socket);
  discard(spareOf(socket));
  link(socket, spareOf(socket));
}

/** Takes both names away. */
export function discardSocket(socket: string): void {
  discard(spareOf(socket));
  discard(socket);
}

function inodeOf(path: string): number | undefined {
  const stats = linkStatsIfThere(path);
  return stats?.isSocket() === true ? stats.ino : undefined;
}

/** Where a file system has no second names, or something else has the name, there is only the first. */
function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}

/** Not what a guest boots: whether those are still the ones that were made is told by their times. */
const aging = ({ state, vmLock, kernel, initrd }: Layout): readonly string[] => [
  vmLock,
  ...readdirSync(state)
    .map((name) => join(state, name))
    .filter((path) => path !== kernel && path !== initrd),
];

function touch(path: string, nowMs: number): void {
  try {
    lutimesSync(path, nowMs / 1000, nowMs / 1000);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}

/** What was written of it once is written again where it is gone, for as long as it lives. */
export function keeper(
  files: PidFiles,
  pid: number,
  { plan, sockets }: { readonly plan: Launch; readonly sockets: readonly string[] },
): () => void {
  return () => {
    if (identify(pid) === undefined) return;
    try {
      keepPid(files, pid, basename(plan.program));
    } catch (error) {
      // On a full disk, for instance: the next look will do.
      if (!(error instanceof Failed)) throw error;
    }
    for (const socket of sockets) keepSocket(socket);
  };
}
