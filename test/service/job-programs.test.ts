import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { jobPrograms } from '../../src/service/job-programs.ts';
import { checkConfig, type HostFacts } from '../../src/config/config.ts';
import { removeTree } from '../remove-tree.ts';

const bin = mkdtempSync(join(tmpdir(), 'Jörgs programs-'));
afterAll(() => removeTree(bin));
const all = ['hyperkit', 'vpnkit', 'gvproxy', 'qemu-system-x86_64', 'qemu-system-aarch64'];
for (const name of [...all, 'ssh', 'ps', 'flock']) {
  writeFileSync(join(bin, name), '');
  chmodSync(join(bin, name), 0o755);
}
const host: HostFacts = {
  arch: 'x64',
  platform: 'darwin',
  cpus: 4,
  memoryMiB: 16_384,
  diskGiB: 500,
  diskFreeGiB: 400,
};

test.each([
  [{ vm: 'qemu' }, ['qemu-system-x86_64']],
  [{ vm: 'qemu', system: 'aarch64-linux' }, ['qemu-system-aarch64']],
  [{ vm: 'qemu', network: 'gvproxy' }, ['qemu-system-x86_64', 'gvproxy']],
  [{ vm: 'hyperkit' }, ['hyperkit', 'vpnkit', 'gvproxy']],
  [{ vm: 'hyperkit', network: 'vpnkit' }, ['hyperkit', 'vpnkit']],
])('a daemon with %j runs its own programs, and ssh, ps and flock', (settings, own) => {
  const parsed = checkConfig(settings, host);
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join());
  expect(jobPrograms(parsed.config, bin)).toEqual(
    [...own, 'ssh', 'ps', 'flock'].map((name) => join(bin, name)),
  );
});

test('where it is left open: those that are made for this machine', () => {
  const of = (platform: 'linux' | 'darwin') => {
    const parsed = checkConfig({}, { ...host, platform });
    if (!parsed.ok) throw new Error('it is right');
    return jobPrograms(parsed.config, bin, { host: `${platform}-x64`, macos: undefined });
  };
  const named = (names: readonly string[]) => names.map((name) => join(bin, name));
  expect(of('linux')).toEqual(named(['qemu-system-x86_64', 'ssh', 'ps', 'flock']));
  expect(of('darwin')).toEqual(
    named(['qemu-system-x86_64', 'hyperkit', 'vpnkit', 'gvproxy', 'ssh', 'ps', 'flock']),
  );
});

test('what is not installed is not named', () => {
  const parsed = checkConfig({ vm: 'hyperkit' }, host);
  if (!parsed.ok) throw new Error('it is right');
  const absent = ['hyperkit', 'vpnkit', 'gvproxy'].map((name) => join('/nonexistent', name));
  for (const path of absent) expect(jobPrograms(parsed.config, '/nonexistent')).not.toContain(path);
});
