import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { debianArch, nativeSystem, systemNames } from '../../src/domain/guest-system.ts';
import { fact } from './command.ts';
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
  expect(wrong.said).toContain(`is for ${nativeSystem(process.arch)}, not ${foreign}`);
  await rig.up();
  expect(rig.status()).toMatchObject({ accelerator: 'tcg', builder: { system: foreign } });
  expect(rig.status()).not.toHaveProperty('rejected');

  const build = nixBuild(rig, rig.layout.example);
  expect(await build.ended, build.said).toBe(0);
  const { stdout } = await rig.cli('ssh', '--', 'uname -rm');
  const [release = '', machine] = stdout.trim().split(' ');
  expect(machine).toBe(foreign.replace('-linux', ''));
  expect(builtText(rig, build)).toContain(`Linux version ${release} `);

  // Killed in the midst of a build: that ends, and succeeds when it is tried again.
  const { vmPid } = await rig.reaches('ready');
  const file = join(rig.dir, 'long.nix');
  writeFileSync(file, longBuild(foreign));
  const struck = nixBuild(rig, file);
  await fact('the guest builds', () => struck.said.includes('the guest builds'));
  process.kill(vmPid ?? 0, 'SIGKILL');
  expect(await struck.ended, struck.said).not.toBe(0);
  await rig.untilStatus('another VM', (status) => (status.vmPid ?? vmPid) !== vmPid);
  await rig.reaches('ready');
  const again = nixBuild(rig, file);
  expect(await again.ended, again.said).toBe(0);
  expect(builtText(rig, again)).toBe('built\n');
  expect(rig.console()).toContain('note=disk-check');
  // Without an agent a login as root is what is left: arm64 without firmware has no power button.
  expect((await rig.cli('ssh', '--root', '--', 'kill -STOP $(pidof qemu-ga)')).end).toBe(0);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  expect(rig.console()).toContain('linuxkit-builder: stage=stopped');
  await rig.leavesNothing();
});

/** Says that it has begun, and takes a second; the wait is for a pipe that nobody writes to. */
const longBuild = (system: string) => `derivation {
  name = "long";
  system = "${system}";
  builder = "/bin/sh";
  args = [ "-c" "echo the guest builds; exec 9<> <(:); read -t 1 -u 9; echo built > $out" ];
}
`;
