import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { reapAfterUs } from '../../rig/reaper.ts';
import { runWorld } from '../private-world.ts';
import { needs } from '../../needs.ts';
import { nothingToChange } from '../../../src/setup/configure/configure.ts';
import { removeTree } from '../../remove-tree.ts';

const checkout = resolve(import.meta.dirname, '../../..');

describe('scripts/up, killed three times and run again', needs('root', 'Linux'), () => {
  let facts: ReadonlyMap<string, string> = new Map();
  let all = '';

  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'up-'));
    reapAfterUs(directory);
    // A machine's own settings, such as certificates for npm, have no business here.
    const path = `${dirname(process.execPath)}:/usr/bin:/bin:/usr/sbin:/sbin`;
    const script = join(import.meta.dirname, 'world.sh');
    const wordsFor = (port: string) => [checkout, directory, port];
    ({ all, facts } = await runWorld(script, wordsFor, { PATH: path, HOME: '/root' }));
    removeTree(directory);
  });

  test('was killed while it made the program, the image and the builder', () => {
    expect(facts.get('killed-building'), all).toContain('building the program');
    expect(facts.get('killed-packing'), all).toMatch(/making the guest's image|building the root/);
    expect(facts.get('killed-starting'), all).toMatch(/starting|Start|waiting|boots/);
  });
  // Behaviour 205: `up` does everything that is needed to get from nothing to a first build in the guest, and does
  // nothing twice. If programs are missing, `up` names them and the command that installs them; `up --install`
  // installs them.
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
