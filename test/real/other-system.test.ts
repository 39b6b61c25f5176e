import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { debianArch, nativeSystem, systemNames } from '../../src/config/system.ts';
import { builtText, nixBuild } from './nix-client.ts';
import { BuilderRig, testImage } from './rig.ts';

const foreign = systemNames.find((name) => name !== nativeSystem(process.arch)) ?? 'aarch64-linux';
const image = join(dirname(testImage()), `builder-${debianArch(foreign)}`);

test('a guest of the other system builds for it, emulated, and is killed and stopped like any other', async (context) => {
  await using rig = await BuilderRig.create({
    context,
    configure: ['--system', foreign, '--bundle', image],
  });
  const wrong = await rig.cli('configure', '--no-root', '--bundle', testImage());
  expect(wrong.end).toBe(64);
  expect(wrong.said).toContain(`is for ${nativeSystem(process.arch)}, not for ${foreign}`);
  await rig.up();
  expect(rig.status()).toMatchObject({ accelerator: 'tcg', builder: { system: foreign } });
  expect(rig.status()).not.toHaveProperty('rejected');

  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended, build.said).toBe(0);
  const { stdout } = await rig.cli('ssh', '--', 'uname -rm');
  const [release = '', machine] = stdout.trim().split(' ');
  expect(machine).toBe(foreign.replace('-linux', ''));
  expect(builtText(rig, build)).toContain(`Linux version ${release} `);

  const { vmPid } = await rig.reaches('ready');
  process.kill(vmPid ?? 0, 'SIGKILL');
  await rig.untilStatus('another VM', (status) => (status.vmPid ?? vmPid) !== vmPid);
  await rig.reaches('ready');
  // Without an agent a login as root is what is left: arm64 without firmware has no power button.
  expect((await rig.cli('ssh', '--root', '--', 'kill -STOP $(pidof qemu-ga)')).end).toBe(0);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(rig.console()).toContain('linuxkit-builder: stage=stopped');
  await rig.leavesNothing();
});
