/** `restart` where the program was upgraded under a daemon that runs: the files of its job are as they were. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { label } from '../../src/service/launchd/launch-agent.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { launchdRig } from './rig.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

const upgrade = (version: string) => {
  const file = join(program.folder, 'package.json');
  const described = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...described, version }));
};

// Behaviour 209: After an upgrade, `restart` replaces the daemon with one of the new release, through launchd or
// systemd if they run it. If root owns the job, as it owns each job that starts at boot, `restart` restarts only the
// guest, and names the command that restarts the daemon.
test.each([
  ['of launchd', {}, 2],
  ['of nobody', { LINUXKIT_BUILDER_SERVICE: 'none' }, undefined],
])('a daemon %s becomes one of the new release', async (_, terminal, runs) => {
  await using rig = await launchdRig(program, { terminal });
  const known = () => {
    const found = rig.status();
    return found.daemon === 'alive'
      ? { release: found.status.release, pid: found.status.daemon.pid }
      : expect.fail('no daemon');
  };
  upgrade('1.0.0');
  await rig.run('configure');
  await rig.run('start');
  const old = known();
  expect(old.release).toBe('1.0.0');
  expect((await rig.run('restart', '--now')).code).toBe(0);
  expect(known()).toEqual(old);

  upgrade('1.0.1');
  expect(await rig.run('restart')).toMatchObject({ code: 0 });
  expect(known().release).toBe('1.0.1');
  expect(known().pid).not.toBe(old.pid);
  expect(rig.launchd.job(label)?.runs).toBe(runs);
});

test('one whose settings are wrong by now stays, and keeps its guest', async () => {
  await using rig = await launchdRig(program, { terminal: { LINUXKIT_BUILDER_SERVICE: 'none' } });
  upgrade('1.0.0');
  await rig.run('configure');
  await rig.run('start');
  upgrade('1.0.1');
  const good = readFileSync(rig.layout.config);
  writeFileSync(rig.layout.config, '{ "cpus": "many" }');
  const { code, err } = await rig.run('restart');
  expect(code).toBe(0);
  expect(err).toContain('linuxkit-builder restart');
  expect(rig.status()).toMatchObject({ daemon: 'alive', status: { release: '1.0.0' } });
  writeFileSync(rig.layout.config, good);
  await rig.run('restart');
  expect(rig.status()).toMatchObject({ daemon: 'alive', status: { release: '1.0.1' } });
});

test('the guest of a new one starts at once, as it does after any restart', async () => {
  await using rig = await launchdRig(program, { terminal: { LINUXKIT_BUILDER_SERVICE: 'none' } });
  upgrade('1.0.0');
  await rig.run('configure', '--start', 'demand');
  await rig.run('start');
  upgrade('1.0.1');
  await rig.run('restart');
  const found = rig.status();
  expect(found).toMatchObject({ daemon: 'alive', status: { release: '1.0.1' } });
  expect(found.daemon === 'alive' && found.status.phase).not.toBe('away');
});
