import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { bootId } from '../../src/system/process/process.ts';
import { keepVerdict } from '../../src/domain/verdicts.ts';
import { kvmObstacle } from '../../src/vm/kvm-device.ts';
import { failureOf } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

/** What is said of an exception that nobody expected. */
const bugHint = failureOf(new Error('x')).hint;

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'dry-'))));
afterEach(() => removeTree(dir));

interface Shown {
  readonly file: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly sockets?: readonly string[];
}

async function dryRun(...argv: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const world = {
    env: { PATH: join(dir, 'bin') },
    home: dir,
    assets: dir,
    isTTY: false,
    clock: systemClock,
    signal: new AbortController().signal,
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
    onStopSignal: () => undefined,
  };
  const code = await run(['daemon', '--dry-run', '-d', join(dir, 's'), ...argv], world, '0');
  return { code, text: out.join('\n'), said: err.join('\n') };
}
const plan = async (...argv: string[]) =>
  JSON.parse((await dryRun('--json', ...argv)).text) as { vm: Shown; network: Shown | null };

describe('where nothing is configured and nothing is installed', () => {
  test('QEMU, with its own network', async () => {
    const { vm, network } = await plan('--vm', 'qemu');
    expect(vm.file).toMatch(/qemu-system-(x86_64|aarch64)$/);
    expect(network).toBeNull();
    expect(vm.env).toMatchObject({ PATH: '/usr/bin:/bin' });
  });
  test('QEMU with gvproxy', async () => {
    const { vm, network } = await plan('--vm', 'qemu', '--network', 'gvproxy');
    expect(vm.argv.join(' ')).toContain(`addr.path=${dir}/s/nix-state/net.sock`);
    expect(network?.argv[0]).toBe('-listen-qemu');
  });
  test('HyperKit, with VPNKit', async () => {
    const { vm, network } = await plan('--vm', 'hyperkit');
    expect(vm.file).toMatch(/hyperkit$/);
    expect(vm.argv).toContain(`2:0,virtio-blk,${dir}/s/nix-disk`);
    expect(network?.argv).toEqual(['--ethernet', 'fd:3']);
    expect(network?.sockets).toEqual([`${dir}/s/nix-state/vpnkit_eth.sock`]);
  });
  test('HyperKit with gvproxy', async () => {
    const { network } = await plan('--vm', 'hyperkit', '--network', 'gvproxy');
    expect(network?.argv[0]).toBe('-listen-vpnkit');
  });
  test('and nothing is written', async () => {
    await dryRun('--vm', 'hyperkit');
    expect(existsSync(join(dir, 's'))).toBe(false);
  });
});

test('what is configured counts, and so does what is installed', async () => {
  mkdirSync(join(dir, 's'));
  mkdirSync(join(dir, 'bin'));
  for (const name of ['hyperkit', 'gvproxy'])
    writeFileSync(join(dir, 'bin', name), '', { mode: 0o755 });
  writeFileSync(join(dir, 's/config.json'), '{"vm":"hyperkit","cpus":1,"memoryMiB":600}');
  const { vm, network } = await plan('--vm', 'hyperkit');
  expect(vm.file).toBe(join(dir, 'bin/hyperkit'));
  expect(vm.argv.slice(0, 6)).toEqual(['-A', '-u', '-c', '1', '-m', '600M']);
  expect(network?.file).toBe(join(dir, 'bin/gvproxy'));
});

test('an accelerator that a trial has found to work, or not, is not guessed again', async () => {
  mkdirSync(join(dir, 's/nix-state'), { recursive: true });
  // Not installed: it is named, and told apart, by its name alone.
  const basis = 'ENOENT';
  const kept = { subject: 'accelerator', basis, at: '2026-01-02T03:04:05Z', why: 'no' } as const;
  const path = join(dir, 's/nix-state/verdicts.json');
  for (const way of ['kvm', 'hvf']) keepVerdict({ ...kept, way }, path);
  expect((await plan()).vm.argv.join(' ')).toContain('-accel tcg');
  // Another boot of the host knows nothing of it.
  const hardware = process.platform === 'darwin' ? 'hvf' : kvmObstacle() ? 'tcg' : 'kvm';
  writeFileSync(path, readFileSync(path, 'utf8').replace(bootId(), 'another boot'));
  expect((await plan()).vm.argv.join(' ')).toContain(`-accel ${hardware}`);
});

test('for people: one word a line, quoted where sh needs it, and a kernel that is not there is told', async () => {
  const { text, said } = await dryRun('--vm', 'hyperkit');
  expect(text.split('\n')[0]).toBe(`# boots the image ${dir}/s/image/builder`);
  expect(text).toContain(`\n  2:0,virtio-blk,${dir}/s/nix-disk \\\n`);
  expect(text).toMatch(/\n {2}'kexec,\S+ linuxkit-builder\.vm=hyperkit'$/);
  expect(text).toContain(
    `\n# file descriptor 3 is a socket that listens at ${dir}/s/nix-state/vpnkit_eth.sock\n`,
  );
  expect(said).toContain('cannot be read');
});

test.each([[], ['--json']])(
  'ends as a start would that the program refuses: %j',
  async (...how) => {
    const version = (text: string) => {
      mkdirSync(join(dir, 'bin'), { recursive: true });
      const script = `#!/bin/sh\necho 'vfkit version: v${text}'\n`;
      writeFileSync(join(dir, 'bin/vfkit'), script, { mode: 0o755 });
      return dryRun('--vm', 'vfkit', ...how);
    };
    expect((await version('0.5.1')).code).toBe(78);
    // The image has not been made, which is no fault of the command line.
    expect((await version('0.6.4')).code).toBe(0);
  },
);

test.each([
  [['--vm', 'xhyve'], 64],
  [['--network', 'bridge'], 64],
  [['--vm', 'hyperkit', '--network', 'user'], 78],
  [['--vm', 'qemu', '--network', 'vpnkit'], 78],
])('%j is refused', async (argv, code) => expect((await dryRun(...argv)).code).toBe(code));

test.each(['{', '[]', '7', '{"cpus":"two"}'])(
  'a config.json that holds %s is told, not thrown',
  async (text) => {
    mkdirSync(join(dir, 's'));
    writeFileSync(join(dir, 's/config.json'), text);
    const { code, said } = await dryRun();
    expect(said).not.toContain(bugHint);
    expect(code).toBe(78);
  },
);
