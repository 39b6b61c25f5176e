import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { freePort, testImage } from '../rig.ts';

const checkout = resolve(import.meta.dirname, '../../..');
/** A mount of its own needs root; elsewhere this is skipped, and the run says so. */
const possible = process.platform === 'linux' && process.getuid?.() === 0;

// Behaviour 8: A state directory that becomes read-only ends no guest: what the status file cannot say is said where the
// daemon prints, and the file is true again within 5 s of its being writable.
describe.runIf(possible)('the state directory becomes read-only under the daemon', () => {
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

  test('a guest that is ready goes on', () => {
    expect(facts.get('guest'), all).toBe('works');
    expect(facts.get('vms-kept')).toBe('1');
  });
  test('what the status file cannot say is said, once', () =>
    expect(facts.get('told'), all).toBe('1'));
  test('a new start is refused with the reason, and nothing of the old one is left', () => {
    expect(facts.get('why')).toMatch(/Cannot write \S+: the file system is read-only/);
    expect(facts.get('vms-ended')).toBe('0');
  });
  test('when it can be written again, the status is true again and all works', () => {
    expect(facts.get('then')).toMatch(/failed|Failed/);
    expect(facts.get('end')).toBe('0');
    expect(facts.get('vms-last')).toBe('0');
  });
});
