/** A tar stream -> a squashfs file, by squashfs-tools, which exist for Linux and for macOS. */
import type { Readable } from 'node:stream';
import { run, succeeded } from '../system/child.ts';
import { Exit, Failed } from '../system/failure.ts';
import { stage } from '../system/stage.ts';

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
  ...['-tar', '-noappend', '-no-progress', '-quiet', '-no-xattrs', '-all-root'],
  ...['-comp', 'lz4', '-b', '131072', '-root-mode', '0755'],
];

/** The tool of this machine. */
export async function findSquashfsTool(): Promise<SquashfsTool> {
  const ran = await run('mksquashfs', ['-version'], { timeoutMs: 10_000 });
  const version = /version (\d[\w.-]*)/.exec(ran.stdout)?.[1];
  if (version === undefined) throw missing();
  return { tool: 'mksquashfs', version, options };
}

/** Writes the squashfs of a tar, all times set to one. */
export async function makeSquashfs(
  tar: Readable,
  output: string,
  time: Date,
  signal?: AbortSignal,
): Promise<void> {
  const seconds = String(Math.floor(time.getTime() / 1000));
  const argv = ['-', output, ...options, '-mkfs-time', seconds, '-all-time', seconds];
  let inputFailure: Error | undefined;
  tar.once('error', (error: Error) => (inputFailure = error));
  // SOURCE_DATE_EPOCH in our environment would contradict the options, and the tool refuses both.
  const env = { ...process.env } as Record<string, string>;
  delete env['SOURCE_DATE_EPOCH'];
  const { output: words, ended } = stage('mksquashfs', argv, tar, {
    env,
    ...(signal === undefined ? {} : { signal }),
  });
  words.resume();
  const ran = await ended;
  signal?.throwIfAborted();
  if (inputFailure !== undefined) throw inputFailure;
  if (!succeeded(ran)) throw broken(ran.stderr);
}

const missing = (): Failed =>
  new Failed({
    kind: 'squashfs-tools-missing',
    message: 'The program mksquashfs was not found.',
    hint: 'Install it: `apt-get install squashfs-tools` on Debian, `brew install squashfs` on macOS, or `nix profile install nixpkgs#squashfsTools`.',
    exit: Exit.unavailable,
  });

const broken = (stderr: string): Failed =>
  new Failed({
    kind: 'squashfs-failed',
    message: 'mksquashfs could not make the root file system.',
    hint: 'It says why below; the usual reason is a full disk.',
    exit: Exit.osError,
    lines: stderr.trim().split('\n').slice(-20),
  });
