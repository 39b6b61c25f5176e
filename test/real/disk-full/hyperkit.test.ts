import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { HyperkitRig } from '../hyperkit-rig.ts';
import { inPrivateWorld } from '../private-world.ts';
import { needs } from '../../needs.ts';

// Behaviour 89: HyperKit and vfkit cannot pause a guest, so the guest is shut down cleanly when less than 512 MiB is
// free on the host's disk, and running builds fail. `status` then shows `paused`, and the guest is started again once 1
// GiB is free.
describe(
  "the host's disk becomes full under HyperKit, which cannot pause",
  needs('root', 'Linux'),
  () => {
    let facts: ReadonlyMap<string, string> = new Map();
    let all = '';

    beforeAll(async () => {
      const programs = await HyperkitRig.create();
      const script = join(import.meta.dirname, 'no-pause.sh');
      const path = process.env['PATH'];
      ({ facts, all } = await inPrivateWorld(script, path, 'hyperkit', 'vpnkit'));
      programs[Symbol.dispose]();
    });

    test('the guest is shut down in order before its writes fail, and that is said', () => {
      expect(facts.get('sentence'), all).toContain("Paused: the host's disk is full");
      expect(facts.get('stopped')).toBe('1');
      expect(facts.get('left')).toBe('0');
      expect(facts.get('errors')).toBe('0');
    });
    test('it stays down as long as there is no room', () =>
      expect(facts.get('phase-later')).toBe('paused'));
    test('it begins again by itself when there is room, and no write is lost', () => {
      expect(facts.get('kept'), all).toBe('kept');
      expect(facts.get('phases')?.trim().split(' ')).toEqual([
        'starting',
        'booting',
        'ready',
        'stopping',
        'starting',
        'paused',
        'starting',
        'booting',
        'ready',
      ]);
    });
    test('a stop that comes meanwhile is obeyed', () =>
      expect(facts.get('last'), all).toBe('stopped'));
  },
);
