/**
 * A builder as on Apple silicon: the daemon takes its machine for one of arm64, so its own guest is of arm64, and vfkit's stand-in runs that.
 * The rest of a Mac is not there: test/real/vfkit-arm64.test.ts has what that guest does without a daemon.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { identify } from '../../src/system/process/process.ts';
import { fact } from './command.ts';
import { builtText, nixBuild } from './nix-client.ts';
import { testImage, type BuilderRig } from './rig.ts';
import { VfkitRig } from './vfkit-rig.ts';

const image = process.arch === 'arm64' ? testImage() : join(dirname(testImage()), 'builder-arm64');

test('an arm64 guest with its daemon: built in, killed in a build, slept through, stopped in order', async (context) => {
  using vfkit = await VfkitRig.create();
  vfkit.switch({ arch: 'arm64' });
  await using rig = await vfkit.builder(context, {
    node: vfkit.nodeOf('arm64'),
    configure: ['--vm', 'vfkit', '--bundle', image],
  });
  const daemon = rig.begin('daemon');
  const first = await rig.reaches('ready');
  expect(first).toMatchObject({
    network: 'gvproxy',
    builder: { vm: 'vfkit', system: 'aarch64-linux' },
  });
  const pids = pidsOf(first);
  expect(pids.map((pid) => identify(pid)?.program)).toEqual(['vfkit', 'gvproxy']);

  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended, build.said).toBe(0);
  const { stdout } = await rig.cli('ssh', '--', 'uname -rm');
  const [release = '', machine] = stdout.trim().split(' ');
  expect(machine).toBe('aarch64');
  expect(builtText(rig, build)).toContain(`Linux version ${release} `);

  // vfkit is killed in the midst of a build, which succeeds when it is tried again; gvproxy is another one by then.
  const file = join(rig.dir, 'long.nix');
  writeFileSync(file, longBuild);
  const struck = nixBuild(rig, file);
  await fact('the guest builds', () => struck.said.includes('the guest builds'));
  process.kill(pids[0] ?? 0, 'SIGKILL');
  expect(await struck.ended, struck.said).not.toBe(0);
  await rig.untilStatus('another VM', ({ vmPid }) => (vmPid ?? pids[0]) !== pids[0]);
  const second = await rig.reaches('ready');
  expect(identify(pids[1] ?? 0)).toBeUndefined();
  const again = nixBuild(rig, file);
  expect(await again.ended, again.said).toBe(0);
  expect(rig.console()).toContain('note=disk-check');

  await sleepAs(rig, second.daemon.pid);
  expect((await rig.cli('ssh', '--', 'exit 5')).end).toBe(5);
  expect(pidsOf(await rig.reaches('ready'))).toEqual(pidsOf(second));

  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(await daemon.ended).toBe(0);
  expect(rig.console()).toContain('linuxkit-builder: stage=stopped');
  await rig.leavesNothing();
});

const pidsOf = ({ vmPid = 0, networkPid = 0 }: { vmPid?: number; networkPid?: number }) => [
  vmPid,
  networkPid,
];

/** As the host sleeps: everything of the builder stands still. */
async function sleepAs(rig: BuilderRig, daemon: number): Promise<void> {
  const all = [...rig.processes().map(({ pid }) => pid), daemon];
  for (const pid of all) process.kill(pid, 'SIGSTOP');
  await systemClock.sleep(3_000);
  for (const pid of all) process.kill(pid, 'SIGCONT');
}

/** Says that it has begun, and takes a second; the wait is for a pipe that nobody writes to. */
const longBuild = `derivation {
  name = "long";
  system = "aarch64-linux";
  builder = "/bin/sh";
  args = [ "-c" "echo the guest builds; exec 9<> <(:); read -t 1 -u 9; echo built > $out" ];
}
`;
