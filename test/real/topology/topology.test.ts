import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../rig/free-port.ts';

const checkout = resolve(import.meta.dirname, '../../..');
const image = process.env['LINUXKIT_TEST_IMAGE'] ?? join(checkout, '.cache/test-image/builder');
/** Users, mounts and root's own nix-daemon need root; elsewhere this is skipped, and the run says so. */
const possible = process.platform === 'linux' && process.getuid?.() === 0;

describe.runIf(possible)(
  "an ordinary user owns the daemon, root's nix-daemon asks, another user builds",
  () => {
    const facts = new Map<string, string>();
    let all = '';

    beforeAll(async () => {
      const argv = [
        '--mount',
        '--propagation',
        'private',
        'sh',
        join(import.meta.dirname, 'world.sh'),
        checkout,
        process.execPath,
        image,
        String(await freePort()),
      ];
      // A machine's own settings, such as certificates for npm, have no business here.
      const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', HOME: '/root' };
      const ran = await promisify(execFile)('unshare', argv, { env, timeout: 150_000 }).catch(
        (error: unknown) => error as { stdout: string; stderr: string; message: string },
      );
      all = `${ran.stdout}\n${ran.stderr}`;
      for (const [, name, value] of all.matchAll(/^FACT (\S+) (.*)$/gm))
        facts.set(name ?? '', value ?? '');
    });

    test('root got one line in its list of builders', () =>
      expect(facts.get('machines'), all).toBe('1'));
    test("the daemon is the owner's", () => expect(facts.get('daemon-user'), all).toBe('owner'));
    test('a build that came while the guest booted was held, not refused', () => {
      expect(['starting', 'booting']).toContain(facts.get('phase-at-build'));
      expect(facts.get('phase-after')).toBe('ready');
    });
    test("the derivation was built under the guest's kernel", () => {
      expect(facts.get('guest-kernel'), all).toMatch(/^\d+\.\d+/);
      expect(facts.get('built')).toContain(`Linux version ${facts.get('guest-kernel') ?? '?'}`);
    });
    test("the result is root's in the host's store", () =>
      expect(facts.get('built-by')).toBe('root'));
    test('doctor finds nothing bad, and says what it could not look at', () => {
      const { findings } = JSON.parse(facts.get('doctor') ?? '{}') as {
        findings: { name: string; kind: string }[];
      };
      const named = (kind: string) =>
        findings.filter((finding) => finding.kind === kind).map(({ name }) => name);
      expect(named('bad'), all).toEqual([]);
      expect(named('skipped'), all).toEqual([]);
      expect(named('good')).toEqual(
        expect.arrayContaining(['keys', 'image', 'daemon', 'guest', 'clock', 'door', 'build']),
      );
      expect(facts.get('doctors-builds'), all).toBe('1');
    });
    test('explain says where a build goes, and why another stays', () => {
      expect(JSON.parse(facts.get('explain') ?? '{}'), all).toMatchObject({ where: 'comes' });
      expect(JSON.parse(facts.get('explain-other') ?? '{}'), all).toMatchObject({
        where: 'nowhere',
      });
    });
    test('a removal, by its owner and then by an administrator, leaves every file as it was', () => {
      expect(facts.get('removal'), all).toBe('complete');
      expect(facts.get('daemon-after')).toBe('false');
      expect(facts.get('disk-stays')).toBe('yes');
    });
    test('nothing that root reads belongs to the owner', () =>
      expect(facts.get('owner-leaves-root-alone')).toBe('0'));
  },
);
