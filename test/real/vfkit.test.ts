import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { identify } from '../../src/system/process/process.ts';
import { complaints } from '../fakes/vfkit/command-line.ts';
import { nativeArch, versions } from '../fakes/vfkit/version.ts';
import { builtText, nixBuild } from './nix-client.ts';
import { VfkitRig } from './vfkit-rig.ts';

let vfkit: VfkitRig;
beforeAll(async () => {
  vfkit = await VfkitRig.create();
});
afterAll(() => vfkit[Symbol.dispose]());

test('vfkit and gvproxy: ready, a real build, a sleep, a reboot in place, stopped in order', async (context) => {
  vfkit.switch({});
  await using rig = await vfkit.builder(context);
  await rig.up();
  const status = await rig.reaches('ready');
  expect(status).toMatchObject({ network: 'gvproxy', builder: { vm: 'vfkit' } });
  const pids = [status.vmPid ?? 0, status.networkPid ?? 0];
  expect(pids.map((pid) => identify(pid)?.program)).toEqual(['vfkit', 'gvproxy']);
  const [, , ...argv] = readFileSync(`/proc/${pids[0] ?? 0}/cmdline`, 'utf8')
    .split('\0')
    .slice(0, -1);
  for (const version of versions)
    expect(complaints(argv, { version, arch: nativeArch() }), version).toEqual([]);

  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended, build.said).toBe(0);
  const kernel = await rig.cli('ssh', '--', 'uname -r');
  expect(builtText(rig, build)).toContain(`Linux version ${kernel.stdout.trim()} `);

  // As the host sleeps: everything of the builder stands still.
  const all = [...rig.processes().map(({ pid }) => pid), status.daemon.pid];
  for (const pid of all) process.kill(pid, 'SIGSTOP');
  await systemClock.sleep(3_000);
  for (const pid of all) process.kill(pid, 'SIGCONT');
  expect((await rig.cli('ssh', '--', 'exit 5')).end).toBe(5);
  expect((await rig.reaches('ready')).vmPid).toBe(pids[0]);

  // vfkit's process goes on where a guest reboots: the daemon makes that the end of it.
  await rig.cli('ssh', '--root', '--', 'reboot');
  await rig.untilStatus('another VM', ({ vmPid }) => (vmPid ?? pids[0]) !== pids[0]);
  await rig.reaches('ready');
  expect(identify(pids[0] ?? 0)).toBeUndefined();
  expect(identify(pids[1] ?? 0)).toBeUndefined();

  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(rig.console()).toContain('linuxkit-builder: stage=stopped');
  await rig.leavesNothing();
  expect(readdirSync(rig.layout.state).filter((name) => name.endsWith('.sock'))).toEqual([]);
});
