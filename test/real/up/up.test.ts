import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../rig/free-port.ts';
import { needs } from '../../needs.ts';
import { nothingToChange } from '../../../src/setup/configure/configure.ts';

const checkout = resolve(import.meta.dirname, '../../..');

describe('scripts/up, killed three times and run again', needs('root', 'Linux'), () => {
  const facts = new Map<string, string>();
  let all = '';

  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'up-'));
    const world = [join(import.meta.dirname, 'world.sh'), checkout, directory];
    const argv = ['--mount', '--propagation', 'private', 'sh', ...world, String(await freePort())];
    // A machine's own settings, such as certificates for npm, have no business here.
    const path = `${dirname(process.execPath)}:/usr/bin:/bin:/usr/sbin:/sbin`;
    const env = { PATH: path, HOME: '/root' };
    const ran = await promisify(execFile)('unshare', argv, { env, timeout: 150_000 }).catch(
      (error: unknown) => error as { stdout: string; stderr: string; message: string },
    );
    rmSync(directory, { recursive: true });
    all = `${ran.stdout}\n${ran.stderr}`;
    for (const [, name, value] of all.matchAll(/^FACT (\S+) (.*)$/gm))
      facts.set(name ?? '', value ?? '');
  });

  test('was killed while it made the program, the image and the builder', () => {
    expect(facts.get('killed-building'), all).toContain('building the program');
    expect(facts.get('killed-packing'), all).toMatch(/making the guest's image|building the root/);
    expect(facts.get('killed-starting'), all).toMatch(/starting|Start|waiting|boots/);
  });
  // Behaviour 162: `up` does everything that is needed to get from nothing to a first build in the guest, and does
  // nothing twice. It names missing programs with the command that installs them, or installs them with `--install`.
  test('is taken up, to the derivation that was built in the guest', () =>
    expect(facts.get('built'), all).toMatch(/^Linux version .*Debian/));
  test('does nothing again that was done', () => {
    expect(facts.get('builds-program'), all).toBe('0');
    expect(facts.get('image'), all).toContain('is up to date');
    expect(facts.get('configure'), all).toBe(nothingToChange);
    expect(facts.get('start'), all).toContain('The daemon is already running');
    expect(facts.get('same-vm'), all).toBe('yes');
  });
});
