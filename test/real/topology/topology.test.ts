import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { inPrivateWorld, type Found } from '../private-world.ts';
import { needs } from '../../needs.ts';

describe(
  "an ordinary user owns the daemon, root's nix-daemon asks, another user builds",
  needs('root', 'Linux'),
  () => {
    let facts: Found['facts'];
    let all = '';

    beforeAll(async () => {
      ({ facts, all } = await inPrivateWorld(join(import.meta.dirname, 'world.sh')));
    });

    test('root got one line in its list of builders', () =>
      expect(facts.get('machines'), all).toBe('1'));
    test("the daemon is the owner's", () => expect(facts.get('daemon-user'), all).toBe('owner'));
    test("the door is a socket that no other user reaches, and root's ssh does", () => {
      expect(facts.get('door'), all).toBe('owner 700 /etc/nix/linuxkit-builder/door/socket');
      expect(facts.get('stranger'), all).toBe('1');
    });
    test('a build that came while the guest booted was held, not refused', () => {
      expect(['starting', 'booting']).toContain(facts.get('phase-at-build'));
      expect(facts.get('phase-after')).toBe('ready');
    });
    // Behaviour 87: If root gets a new key, a running guest accepts that key without a restart.
    test("a guest that runs takes root's new key", () =>
      expect(facts.get('root-key-taken'), all).toBe('builder'));
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
        expect.arrayContaining([
          'node',
          'keys',
          'image',
          'daemon',
          'guest',
          'clock',
          'gives back',
          'door',
          'build',
        ]),
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
    test('nothing that root reads belongs to the owner, but the directory of the door', () =>
      expect(facts.get('owner-leaves-root-alone')).toBe('0'));
  },
);
