/** A tar stream -> a squashfs file, by squashfs-tools, which exist for Linux and for macOS. */
import type { Readable } from 'node:stream';
import { succeeded, type CommandResult } from '../../system/process/child.ts';
import { reasonOf, type Clock } from '../../system/time/clock.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import { spawnFilter } from '../../system/process/filter.ts';
import type { Entry } from './entry.ts';
import { squashfsFault } from './squashfs-check.ts';
import { tarOf } from './tar.ts';

/**
 * mksquashfs rather than sqfstar, whose 4.5.1 knows fewer options. lz4: an emulated guest was ready to build 0.25 s of 3.7
 * sooner than with zstd, and no later than without compression. Extended attributes would be the host's.
 */
export const squashfsOptions = [
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

export interface SquashfsOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** How long the tool may take nothing and write nothing when it is its turn. Default 2 minutes. */
  readonly stallMs?: number;
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
  const stall = new AbortController();
  const stop = AbortSignal.any(signal === undefined ? [stall.signal] : [stall.signal, signal]);
  const onStall = () => stall.abort(stalled(stallMs));
  const rest = whenNothingMoves(() => input.mark(sizeIfThere(output)), { clock, stallMs, onStall });
  try {
    const ran = await pack(tar, output, time, stop);
    const failure = input.failure();
    if (failure !== undefined) throw failure;
    if (stop.aborted) throw reasonOf(stop);
    if (!succeeded(ran)) throw failed(wordsOf(ran));
  } finally {
    rest();
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
  const argv = ['-', output, ...squashfsOptions, '-mkfs-time', seconds, '-all-time', seconds];
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
