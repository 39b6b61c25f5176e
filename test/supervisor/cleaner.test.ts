/** A cleaner takes single files of a builder that runs. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../../src/supervisor/daemon/ask-daemon.ts';
import { findStatus } from '../../src/client/found.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { Exit } from '../../src/system/failure.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import { daemonIn } from '../model/daemon-in.ts';
import { World } from '../model/world.ts';
import { statsIfThere } from '../../src/system/stats.ts';

const signal = new AbortController().signal;

const isFile = (path: string): boolean => statsIfThere(path)?.isFile() === true;

// Behaviour 13: While a builder is running, a clean-up program can delete any one of its files, except the disk and the
// images, without disturbing that builder: the daemon and the VM keep running, `status` stays correct, and the files by
// which others find the daemon are recreated. Files that only the next start needs, such as `config.json` and the keys,
// are not recreated.
test(
  'every file of a running builder is made again, or not needed',
  { timeout: 120_000 },
  async () => {
    await using world = await World.make();
    const { layout } = world;
    const { phases, pass, left, until, stop } = await daemonIn(world);
    const [vm] = world.vms();
    const names = readdirSync(layout.root, { recursive: true, encoding: 'utf8' })
      .map((name) => join(layout.root, name))
      // The guest's disk is no file that a cleaner takes, and its images have their own story.
      .filter((path) => path !== layout.disk && !path.startsWith(layout.images))
      .filter((path) => statsIfThere(path)?.isDirectory() === false);
    for (const path of names) {
      // The lock of the start may just have been given up by the start itself.
      rmSync(path, { force: true });
      await pass();
      expect([path, phases.at(-1), world.vms()]).toEqual([path, 'ready', [vm]]);
      const found = await findStatus(layout, { clock: systemClock, signal });
      expect([path, found]).toMatchObject([path, { heard: true, status: { phase: 'ready' } }]);
    }
    // What others look for is there again.
    const { status, control, daemonLock, daemonPid, log } = layout;
    const own = [status, control, daemonLock, daemonPid, log, layout.pid('daemon')];
    for (const path of [...own, layout.pid('qemu'), layout.pidRecord('qemu')])
      expect([path, existsSync(path)]).toEqual([path, true]);
    expect(isLocked(daemonLock)).toBe(true);
    expect(names).toEqual(expect.arrayContaining([...own, layout.vmLock]));
    // All that are empty at once, as `find -type f -size 0 -delete` does.
    for (const name of readdirSync(layout.state)) {
      const path = join(layout.state, name);
      if (isFile(path) && statSync(path).size === 0) rmSync(path);
    }
    await pass();
    expect(phases.at(-1)).toBe('ready');
    expect(await ask(layout, 'door', systemClock)).toMatchObject({ open: 0 });
    stop();
    await until('stopped');
    expect(await left).toBe(Exit.ok);
    expect(world.vms()).toEqual([]);
  },
);
