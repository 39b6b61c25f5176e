/** A tar stream -> a squashfs file, by squashfs-tools, which exist for Linux and for macOS. */
import { addAbortListener } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { reasonOf, systemClock, type Clock } from '../../system/time/clock.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import { spawnFilter } from '../../system/process/filter.ts';
import type { Entry } from './entry.ts';
import { squashfsFault } from './squashfs-check.ts';
import { tarOf } from './tar.ts';
import { temporaryFolder } from '../../system/files/temporary.ts';

/** What decides the bytes of a squashfs beside its content; recorded in the lock. */
export interface SquashfsTool {
  readonly tool: string;
  readonly version: string;
  readonly options: readonly string[];
}

/**
 * mksquashfs rather than sqfstar, whose 4.5.1 knows fewer options. lz4: an emulated guest was ready to build 0.25 s of 3.7
 * sooner than with zstd, and no later than without compression. Extended attributes would be the host's.
 */
const options = [
  '-tar',
  '-noappend',
  '-no-progress',
  '-quiet',
  '-no-xattrs',
  '-all-root',
  '-comp',
  'lz4',
  '-b',
  '131072',
  '-root-mode',
  '0755',
];

interface SquashfsOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** How long the tool may take nothing and write nothing when it is its turn. Default 2 minutes. */
  readonly stallMs?: number;
}

/** The tool of this machine, which has made a small squashfs as the large one will be made. */
export async function findSquashfsTool(
  how: SquashfsOptions = { clock: systemClock },
): Promise<SquashfsTool> {
  const ran = await run('mksquashfs', ['-version'], { timeoutMs: 10_000 });
  const version = /version (\d[\w.-]*)/.exec(ran.stdout)?.[1];
  if (version === undefined) throw missing();
  const scratch = temporaryFolder('mksquashfs-');
  try {
    await makeSquashfs(one(), join(scratch, 'trial'), new Date(0), { stallMs: 30_000, ...how });
  } catch (error) {
    throw error instanceof Failed ? unfit(version, error) : error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { tool: 'mksquashfs', version, options };
}

async function* one(): AsyncGenerator<Entry> {
  yield await Promise.resolve({ kind: 'file', path: 'one', mode: 0o644, data: Buffer.from('1') });
}

/** Writes the squashfs of these entries, all times set to one, and looks whether it is that. */
export async function makeSquashfs(
  entries: AsyncIterable<Entry>,
  output: string,
  time: Date,
  { clock, signal, stallMs = 120_000 }: SquashfsOptions,
): Promise<void> {
  const input = watchedInput(entries);
  const tar = tarOf(input.entries, time);
  // A tool that ends early ends its input; what was wrong with the entries themselves is known from them.
  tar.on('error', () => undefined);
  const stop = new AbortController();
  const onAbort = () => stop.abort(reasonOf(signal));
  if (signal?.aborted === true) onAbort();
  const listening = signal && addAbortListener(signal, onAbort);
  const onStall = () => stop.abort(stalled(stallMs));
  const rest = whenNothingMoves(() => input.mark(sizeIfThere(output)), { clock, stallMs, onStall });
  try {
    const ran = await pack(tar, output, time, stop.signal);
    const failure = input.failure();
    if (failure !== undefined) throw failure;
    if (stop.signal.aborted) throw reasonOf(stop.signal);
    if (!succeeded(ran)) throw failed(wordsOf(ran));
  } finally {
    rest();
    listening?.[Symbol.dispose]();
  }
  const fault = squashfsFault(output, input.inodes());
  if (fault !== undefined) throw faultyOutput(fault);
}

function pack(
  tar: Readable,
  output: string,
  time: Date,
  signal: AbortSignal,
): Promise<CommandResult> {
  const seconds = String(Math.floor(time.getTime() / 1000));
  const argv = ['-', output, ...options, '-mkfs-time', seconds, '-all-time', seconds];
  // SOURCE_DATE_EPOCH in our environment would contradict the options, and the tool refuses both.
  const env = { ...process.env } as Record<string, string>;
  delete env['SOURCE_DATE_EPOCH'];
  const { output: words, ended } = spawnFilter('mksquashfs', argv, tar, { env, signal });
  words.resume();
  return ended;
}

/** The same entries; counts them, keeps what goes wrong with them, and knows when it is the tool's turn. */
function watchedInput(all: AsyncIterable<Entry>) {
  // The root is a file of its own; a hard link is none.
  let [inodes, taken, isToolsTurn] = [1, 0, false];
  let failure: Error | undefined;
  const entries = async function* () {
    try {
      for await (const entry of all) {
        if (entry.kind !== 'hardlink') inodes++;
        isToolsTurn = true;
        yield entry;
        isToolsTurn = false;
        taken++;
      }
      isToolsTurn = true;
    } catch (error) {
      failure = error as Error;
      throw error;
    }
  };
  return {
    entries: entries(),
    failure: () => failure,
    inodes: () => inodes,
    /** Stays the same while it is the tool's turn and it takes and writes nothing. */
    mark: (written = 0) => (isToolsTurn ? `${taken} ${written}` : undefined),
  };
}

interface Watching {
  readonly clock: Clock;
  readonly stallMs: number;
  readonly onStall: () => void;
}

/** Compares a mark with that of `stallMs` before, again and again. Returns the way to end it. */
function whenNothingMoves(
  markNow: () => string | undefined,
  { clock, stallMs, onStall }: Watching,
): () => void {
  let cancel: () => void = () => undefined;
  const look = (before: string | undefined) => {
    const now = markNow();
    if (now !== undefined && now === before) onStall();
    else cancel = clock.after(stallMs, () => look(now));
  };
  look(undefined);
  return () => cancel();
}

const wordsOf = ({ ended, stderr }: CommandResult): string[] => [
  ...stderr.trim().split('\n').slice(-20),
  ...(ended.kind === 'signalled' ? [`(ended by ${ended.signal})`] : []),
];

const howToGet =
  'apt-get install squashfs-tools (Debian), brew install squashfs (macOS), or nix profile install nixpkgs#squashfsTools';

export const missing = (): Failed =>
  new Failed({
    kind: 'squashfs-tools-missing',
    message: 'The program mksquashfs is not installed or not on the PATH.',
    hint: `Install it: ${howToGet}`,
    exit: Exit.unavailable,
  });

/** The first with -tar is 4.5; which compressors one has was decided when it was built. */
export function unfit(version: string, { failure }: Failed): Failed {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const isOld = major < 4 || (major === 4 && minor < 5);
  return new Failed({
    kind: 'squashfs-tools-unfit',
    message: isOld
      ? `mksquashfs ${version} is too old: 4.5 or newer is required.`
      : `mksquashfs ${version} cannot create a squashfs with lz4 from a tar. ${failure.message}`,
    hint: `Install another version: ${howToGet}`,
    exit: Exit.unavailable,
    ...(failure.lines === undefined ? {} : { lines: failure.lines }),
  });
}

/** `ms`: how long it did nothing. */
export const stalled = (ms: number): Failed =>
  new Failed({
    kind: 'squashfs-failed',
    message: `mksquashfs stopped responding: for ${Math.round(ms / 1000)} s it read and wrote nothing.`,
    hint: 'Run the same command again. If this happens again, the disk or the program is faulty.',
    exit: Exit.osError,
  });

const broken = (message: string, lines: readonly string[]): Failed =>
  new Failed({
    kind: 'squashfs-failed',
    message,
    hint:
      lines.length > 0
        ? 'See its output above. If it does not say why, check whether the disk is full.'
        : 'Check whether the disk is full; if not, the program is faulty.',
    exit: Exit.osError,
    lines,
  });

/** It ended well, and what it made is not what it should be. */
export const faultyOutput = (fault: string): Failed =>
  broken(`mksquashfs succeeded, but its output ${fault}.`, []);

/** lines: its output. */
export const failed = (lines: readonly string[]): Failed =>
  broken('mksquashfs could not build the root file system.', lines);
