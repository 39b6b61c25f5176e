import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inPrivateWorld } from '../private-world.ts';
import { VfkitRig } from '../vfkit-rig.ts';
import { needs } from '../../needs.ts';

// Behaviour 89: HyperKit and vfkit cannot pause a guest, so the guest is shut down cleanly when less than 512 MiB is
// free on the host's disk, and running builds fail. `status` then shows `paused`, and the guest is started again once 1
// GiB is free.
test(
  "the host's disk becomes full under vfkit: the guest is shut down in order, and begins again when there is room",
  needs('root', 'Linux'),
  async () => {
    using programs = await VfkitRig.create();
    programs.switch({});
    const script = join(import.meta.dirname, 'no-pause.sh');
    const path = process.env['PATH'];
    const { facts, all } = await inPrivateWorld(script, path, 'vfkit', 'gvproxy');
    expect(facts.get('sentence'), all).toContain("Paused: the host's disk is full");
    expect(Object.fromEntries(facts), all).toMatchObject({
      stopped: '1',
      left: '0',
      errors: '0',
      kept: 'kept',
      last: 'stopped',
      'phase-later': 'paused',
    });
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
  },
);
