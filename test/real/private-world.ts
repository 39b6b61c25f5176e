/** A world of a test's own: a script in a private mount namespace, which tells what it finds in lines of `FACT NAME VALUE`. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../rig/free-port.ts';
import { testImage } from './rig.ts';

const checkout = resolve(import.meta.dirname, '../..');

/** A mount of its own needs root; elsewhere such a test is skipped, and the run says so. */
export const worldsPossible = process.platform === 'linux' && process.getuid?.() === 0;

export interface Found {
  readonly facts: ReadonlyMap<string, string>;
  /** Everything that was printed, for the report of a failure. */
  readonly all: string;
}

/** Runs the script to its end with CHECKOUT NODE IMAGE_PREFIX PORT. */
export async function inPrivateWorld(
  script: string,
  path = '/usr/bin:/bin:/usr/sbin:/sbin',
): Promise<Found> {
  const place = [checkout, process.execPath, testImage(), String(await freePort())];
  const argv = ['--mount', '--propagation', 'private', 'sh', script, ...place];
  const options = { env: { PATH: path }, timeout: 150_000 };
  const { stdout, stderr } = await promisify(execFile)('unshare', argv, options).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  const all = `${stdout}\n${stderr}`;
  const lines = all.matchAll(/^FACT (\S+) (.*)$/gm);
  return { facts: new Map([...lines].map(([, name = '', value = '']) => [name, value])), all };
}
