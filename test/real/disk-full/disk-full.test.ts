import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { freePort, testImage } from '../rig.ts';

const checkout = resolve(import.meta.dirname, '../../..');
/** A small file system of its own needs root; elsewhere this is skipped, and the run says so. */
const possible = process.platform === 'linux' && process.getuid?.() === 0;

// Behaviour 22: A full host disk pauses the guest: it is never started again for that, and goes on by itself when 512 MiB
// are free.
describe.runIf(possible)("the host's disk is full while the guest writes", () => {
  const facts = new Map<string, string>();
  let all = '';

  beforeAll(async () => {
    const world = join(import.meta.dirname, 'world.sh');
    const place = [checkout, process.execPath, testImage(), String(await freePort())];
    const argv = ['--mount', '--propagation', 'private', 'sh', world, ...place];
    const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
    const ran = await promisify(execFile)('unshare', argv, { env, timeout: 150_000 }).catch(
      (error: unknown) => error as { stdout: string; stderr: string },
    );
    all = `${ran.stdout}\n${ran.stderr}`;
    for (const [, name, value] of all.matchAll(/^FACT (\S+) (.*)$/gm))
      facts.set(name ?? '', value ?? '');
  });

  test('the guest is paused, and that is said', () =>
    expect(facts.get('sentence'), all).toContain("Paused: the host's disk is full"));
  test('it is not taken for frozen', () => expect(facts.get('phase-later')).toBe('paused'));
  test('it goes on by itself when there is room, and no write is lost', () =>
    expect(facts.get('written'), all).toBe(String(400 * 1024 * 1024)));
  test('it is the same VM, started once', () => {
    expect(facts.get('vm-after')).toBe(facts.get('vm-before'));
    expect(facts.get('starts')).toBe('1');
  });
});
