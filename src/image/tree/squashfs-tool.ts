/** The program that makes a squashfs here: whether there is one, and whether it can make ours. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Exit, Failed } from '../../system/failure.ts';
import { temporaryFolder } from '../../system/files/temporary.ts';
import { run } from '../../system/process/child.ts';
import { systemClock } from '../../system/time/clock.ts';
import type { Entry } from './entry.ts';
import { makeSquashfs, squashfsOptions, type SquashfsOptions } from './squashfs.ts';

/** What decides the bytes of a squashfs beside its content; recorded in the lock. */
export interface SquashfsTool {
  readonly tool: string;
  readonly version: string;
  readonly options: readonly string[];
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
  return { tool: 'mksquashfs', version, options: squashfsOptions };
}

async function* one(): AsyncGenerator<Entry> {
  yield await Promise.resolve({ kind: 'file', path: 'one', mode: 0o644, data: Buffer.from('1') });
}

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
