/** A world of a test's own: a script in a private mount namespace, which tells what it finds in lines of `FACT NAME VALUE`. */
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../rig/free-port.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { testImage } from './rig.ts';
import { removeTree } from '../remove-tree.ts';

const checkout = resolve(import.meta.dirname, '../..');

/** A mount of its own needs root; elsewhere such a test is skipped, and the run says so. */
export const worldsPossible = process.platform === 'linux' && process.getuid?.() === 0;

export interface Found {
  readonly facts: ReadonlyMap<string, string>;
  /** Everything that was printed, for the report of a failure. */
  readonly all: string;
}

/**
 * A test that is killed leaves nothing of its world: the kernel ends unshare with us, the world's first process with that, and all others
 * of it with their first (setpriv(1), unshare(1), pid_namespaces(7)).
 */
const untilWeEnd = [
  '--pdeathsig',
  'KILL',
  'unshare',
  '--mount',
  '--propagation',
  'private',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
];

/** Runs the script to its end with CHECKOUT NODE IMAGE_PREFIX PORT, and more words behind them. */
export async function inPrivateWorld(
  script: string,
  path = '/usr/bin:/bin:/usr/sbin:/sbin',
  ...more: readonly string[]
): Promise<Found> {
  const argv = [checkout, process.execPath, testImage()];
  return runWorld(script, (port) => [...argv, port, ...more], { PATH: path });
}

/** Runs the script to its end with the words that are given for a free port. */
export async function runWorld(
  script: string,
  wordsFor: (port: string) => readonly string[],
  // A machine's own settings, such as certificates for npm, have no business here.
  env: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
  timeout = 150_000,
): Promise<Found> {
  const words = wordsFor(String(await freePort()));
  const argv = [...untilWeEnd, 'sh', script, ...words];
  const world = mkdtempSync(join(tmpdir(), 'world-'));
  reapAfterUs(world);
  const options = { env: { ...env, WORLD: world }, timeout };
  const { stdout, stderr } = await promisify(execFile)('setpriv', argv, options).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  removeTree(world);
  const all = `${stdout}\n${stderr}`;
  const lines = all.matchAll(/^FACT (\S+) (.*)$/gm);
  return { facts: new Map([...lines].map(([, name = '', value = '']) => [name, value])), all };
}
