/** Programs of others that are not there: who needs one names it, and says how to get it. */
import { mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plainly } from '../../src/system/advice.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { BuilderRig } from './rig.ts';

test('QEMU that is not installed: named with how to get it', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const withoutQemu = pathOf(rig, ['flock', 'ssh', 'ssh-keygen', 'ps']);
  const daemon = rig.beginWith({ PATH: withoutQemu }, 'daemon');
  const { because } = await rig.reaches('failed');
  expect(because?.kind).toBe('program-missing');
  expect(because?.message).toContain('qemu-system-');
  expect(plainly(because?.hint ?? '')).toMatch(/apt-get install qemu-system-|brew install qemu/);
  daemon.signal('SIGTERM');
  expect(await daemon.ended).toBe(0);
});

test('ssh that is not installed: named with how to get it', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const qemu = process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
  const PATH = pathOf(rig, ['flock', 'ssh-keygen', 'ps', qemu]);
  rig.beginWith({ PATH }, 'daemon');
  // The daemon would find out when the guest is to be asked, and this is sooner.
  await rig.reaches('booting');
  const ssh = rig.beginWith({ PATH }, 'ssh', '--', 'true');
  expect(await ssh.ended).toBe(69);
  expect(ssh.stderr).toMatch(
    /The program ssh is not installed[^]*(openssh-client|install openssh)/,
  );
  const failed = await rig.reaches('failed');
  expect(failed.because?.kind).toBe('program-missing');
  expect(failed.because?.message).toContain(' ssh ');
  expect(plainly(failed.because?.hint ?? '')).toMatch(/openssh/);
  expect((await rig.cli('status')).stdout).toMatch(/The program ssh is not installed/);
});

test("Nix's or ssh's programs that are not installed: named where they are needed, with how to get them", async (context) => {
  await using rig = await BuilderRig.create({ context });
  const PATH = pathOf(rig, ['flock', 'ps']);
  const file = join(rig.dir, 'one.nix');
  writeFileSync(file, '{}');
  const explain = rig.beginWith({ PATH }, 'explain', file);
  expect(await explain.ended).toBe(69);
  expect(explain.stderr).toMatch(/nix-instantiate is not installed[^]*(nix-bin|nixos\.org)/);
  const doctor = rig.beginWith({ PATH }, 'doctor');
  await doctor.ended;
  expect(doctor.stdout).toContain('https://nixos.org/download');
  renameSync(rig.layout.keys, `${rig.layout.keys}-away`);
  const configure = rig.beginWith({ PATH }, 'configure', '--no-root');
  expect(await configure.ended).toBe(69);
  expect(configure.stderr).toMatch(/ssh-keygen is not installed[^]*openssh/);
});

/** A PATH with just these programs. */
function pathOf(rig: BuilderRig, programs: readonly string[]): string {
  const bin = mkdtempSync(join(rig.dir, 'bin-'));
  for (const name of programs) symlinkSync(tryProgram(name) ?? '', join(bin, name));
  return bin;
}
