/** vfkit's driver: its command line as the grammar of vfkit's parser takes it, what it refuses, and what its ends mean. */
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig, type Config, type HostFacts } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import type { PlanInput } from '../../src/vm/vm-driver.ts';
import { versionIn } from '../../src/vm/vfkit/vfkit-abilities.ts';
import { vfkitPlan, vfkitProblems, vfkitStale } from '../../src/vm/vfkit/vfkit-argv.ts';
import { errorIn, explainVfkit } from '../../src/vm/vfkit/vfkit-exit.ts';
import { vfkit } from '../../src/vm/vfkit/vfkit-control.ts';
import { parse } from '../fakes/vfkit/command-line.ts';
import { usage } from '../fakes/vfkit/flags.ts';
import { realFiles } from '../fakes/vfkit/real-files.ts';
import { versions } from '../fakes/vfkit/version.ts';
import { plainly } from '../../src/system/advice.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
const host: HostFacts = {
  arch: 'arm64',
  platform: 'darwin',
  cpus: 16,
  memoryMiB: 65_536,
  diskGiB: 500,
  diskFreeGiB: 100,
};
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vfkit-'));
  const image = Buffer.alloc(4096);
  image.write('ARMd', 0x38, 'latin1');
  writeFileSync(join(dir, 'builder-kernel'), image);
  writeFileSync(join(dir, 'zboot-kernel'), 'MZ\0\0zimg');
});
afterAll(() => removeTree(dir));

function configOf(json: Record<string, unknown> = {}): Config {
  const parsed = checkConfig({ vm: 'vfkit', cpus: 4, memoryMiB: 4096, ...json }, host);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

function inputOf(root = '/s', changes: Partial<PlanInput> = {}): PlanInput {
  const layout = layoutOf(root);
  const uuid = 'f8356af6-1ccb-8a8a-81be-7bd003899571';
  return {
    config: configOf(),
    layout,
    uuid,
    program: '/v',
    accelerator: 'hvf',
    bundle: bundleAt(join(dir, 'builder')),
    cmdline: 'quiet panic=-1',
    network: gvproxy.network({ layout, link: 'vfkit-dgram', uuid }),
    ...changes,
  };
}

// Behaviour 234: vfkit gets only command lines that its parser accepts. It is not started if it is older than 0.6.0,
// or if it would misread the state directory's name.
describe('the command line', () => {
  test('is all there is', () =>
    expect(vfkitPlan(inputOf()).argv).toEqual([
      '--cpus',
      '4',
      '--memory',
      '4096',
      '--bootloader',
      'linux,kernel=/s/nix-state/kernel,initrd=/s/nix-state/initrd,cmdline="quiet panic=-1 console=hvc0 linuxkit-builder.vm=vfkit"',
      '--device',
      'virtio-blk,path=/s/nix-disk',
      '--device',
      'virtio-net,unixSocketPath=/s/nix-state/vfkit_net.sock,mac=5a:94:ef:e4:0c:ee',
      '--device',
      'virtio-serial,logFilePath=/s/nix-state/console-ring',
      '--device',
      'virtio-rng',
      '--device',
      'virtio-vsock,port=1024,socketURL=/s/nix-state/vfkit_agent.sock,connect',
      '--restful-uri',
      'unix:///s/nix-state/vfkit.sock',
    ]));

  // By the grammar, which was written from vfkit's sources and not from here.
  test.each(
    versions.flatMap((version) =>
      ['quiet', 'a=1,2 b', 'dyndbg="file x.c +p" quiet', ''].map(
        (cmdline) => [version, cmdline] as const,
      ),
    ),
  )('is taken by vfkit %s with the words %j', (version, cmdline) => {
    const root = join(dir, 'state');
    mkdirSync(join(root, 'nix-state'), { recursive: true });
    const input = inputOf(root, { cmdline });
    const { disk, initrd, kernel } = input.layout;
    for (const path of [disk, initrd]) writeFileSync(path, Buffer.alloc(4096));
    copyFileSync(join(dir, 'builder-kernel'), kernel);
    const machine = parse(vfkitPlan(input).argv, { version, arch: 'arm64' }, realFiles);
    expect(machine).toMatchObject({
      kind: 'machine',
      cpus: 4,
      memoryMiB: 4096,
      kernel,
      initrd,
      pidfile: undefined,
      cmdline: `${cmdline} console=hvc0 linuxkit-builder.vm=vfkit`.trimStart(),
    });
    if (machine.kind === 'machine') {
      expect(machine.devices).toHaveLength(5);
      expect(machine.devices.filter(({ kind }) => kind === 'unmade')).toEqual([]);
      expect(typeof machine.rest).toBe('object');
    }
  });
});

describe('what is refused before anything is launched', () => {
  const refused = (root: string, changes: Partial<PlanInput> = {}) =>
    vfkitProblems(inputOf(root, changes)).map(({ path, message }) => `${path} ${message}`);
  const abilities = (version: string) => ({
    abilities: { sandbox: false, forwardsUnix: false, version },
  });

  test('nothing that is right', () => {
    expect(refused('/s')).toEqual([]);
    for (const version of ['0.6.0', '0.6.4', '0.10.1', '1.0.0'])
      expect(refused('/s', abilities(version))).toEqual([]);
  });
  test.each(['0.5.0', '0.5.1', '0.1.0'])('vfkit %s', (version) =>
    expect(refused('/s', abilities(version))).toEqual([expect.stringContaining('vm is too old')]),
  );
  test('a directory that is too long for the socket that vfkit makes of its own', () => {
    const bytes = (length: number) => `/${'s'.repeat(length - '/nix-state'.length - 1)}`;
    expect(refused(bytes(81))).toEqual([]);
    expect(refused(bytes(82))).toEqual([expect.stringContaining('1 byte too long')]);
  });
  test.each(['/a b', '/é', '/a#b', '/a!b'])(
    'the directory %s, of which vfkit makes another',
    (root) => expect(refused(root)).toEqual([expect.stringContaining('socket')]),
  );
  test('a kernel that the framework would hang at', () => {
    const bundle = (name: string) => ({ bundle: bundleAt(join(dir, name)) });
    const [zboot, none] = [refused('/s', bundle('zboot')), refused('/s', bundle('none'))];
    expect([zboot, none]).toEqual([
      [expect.stringMatching(/^bundle /)],
      [expect.stringMatching(/^bundle /)],
    ]);
    expect(zboot).not.toEqual(none);
  });
});

test('the version is read from what it says', () => {
  expect(versionIn('vfkit version: v0.6.4\n')).toBe('0.6.4');
  expect(versionIn('vfkit version v0.5.1')).toBe('0.5.1');
  expect(versionIn('vfkit version: unknown')).toBeUndefined();
});

test('a line for each of our questions is no news; all else that it says is', () => {
  const gin =
    '[GIN] 2026/01/01 - 00:00:00 | 200 |      35.125µs |                 | GET      "/vm/state"';
  expect(vfkit.isNoise?.(gin)).toBe(true);
  for (const line of ['time="x" level=info msg="VM is stopped"', 'Error: [GIN] is no more', ''])
    expect(vfkit.isNoise?.(line)).toBe(false);
});

test('what a killed vfkit leaves is found by its name, whatever number it chose', () => {
  const root = join(dir, 'left');
  const { state } = layoutOf(root);
  mkdirSync(state, { recursive: true });
  for (const name of [
    'vfkit-1a2b-00ff.sock',
    'vfkit-1c-2d.sock.spare',
    'vfkit_net.sock',
    'vfkit-x.sock',
  ])
    writeFileSync(join(state, name), '');
  const stale = vfkitStale(layoutOf(root));
  expect(stale).toContain(join(state, 'vfkit-1a2b-00ff.sock'));
  expect(stale).toContain(join(state, 'vfkit-1c-2d.sock'));
  // The network's own is the network program's.
  expect(stale).not.toContain(join(state, 'vfkit_net.sock'));
  expect(stale).not.toContain(join(state, 'vfkit-x.sock'));
  expect(vfkitStale(layoutOf('/nowhere/at/all'))).toHaveLength(3);
});

/** As vfkit writes it: its log, the error, the usage, the error again. */
const says = (text: string) =>
  [
    'time="2026-01-01T00:00:00Z" level=info msg="virtual machine parameters:"',
    ...`Error: ${text}`.split('\n'),
    ...usage.split('\n'),
    ...text.split('\n'),
  ] as const;
const vz = (code: number, description: string, reason = '') =>
  `Error Domain=VZErrorDomain Code=${code} Description="${description}" UserInfo={\n    NSLocalizedFailureReason = "${reason}";\n}`;
const explain = (output: readonly string[], code = 1) =>
  explainVfkit({ ended: { kind: 'exited', code }, output, console: [] });

// Behaviour 235: vfkit's exit is explained by vfkit's own error message, never by the usage text that follows every
// error.
describe('what an end means', () => {
  test.each([
    [
      vz(
        2,
        'Invalid virtual machine configuration.',
        'The process doesn’t have the “com.apple.security.virtualization” entitlement.',
      ),
      'vm-forbidden',
    ],
    [vz(2, 'Virtualization is not available on this hardware.'), 'vm-forbidden'],
    [
      vz(2, 'Invalid virtual machine configuration.', 'The storage device attachment is invalid.'),
      'vm-disk-busy',
    ],
    [
      vz(2, 'Invalid virtual machine configuration.', 'The number of CPUs is too high.'),
      'vm-usage',
    ],
    [
      vz(6, 'The maximum supported number of active virtual machines has been reached.'),
      'vm-limit',
    ],
    [vz(5, 'Invalid disk image.'), 'disk-unreadable'],
    [vz(8, 'Out of disk space.'), 'host-disk-full'],
    [vz(1, 'Internal Virtualization error.'), 'vm-error'],
    ['virtualization error: hypervisor virtualization error', 'vm-error'],
    ['timeout waiting for VM state VirtualMachineStateRunning', 'vm-slow-start'],
    ['dial unixgram /s/a->/s/b: connect: no such file or directory', 'vm-network-away'],
    ['dial unixgram /s/a->/s/b: connect: connection refused', 'vm-network-away'],
    ['connect: no route to host', 'vm-network-away'],
    ['unixgram path "/s" is too long', 'vm-path-too-long'],
    ['kernel must be uncompressed, /s/kernel is a compressed file', 'vm-kernel-refused'],
    ['failed to read the header of file /s/nix-disk: EOF', 'disk-unreadable'],
    ['unknown flag: --bogus', 'vm-usage'],
    ['listen unix /s: bind: address already in use', 'vm-socket-taken'],
    ['something new', 'vm-exited'],
  ])('%j', (text, kind) => {
    const failure = explain(says(text));
    expect(failure?.kind).toBe(kind);
    expect(failure?.lines?.some((line) => plainly(line).includes('--bootloader'))).toBe(false);
    // Also where the beginning is not there any more.
    const late = says(text).slice(-usage.split('\n').length);
    expect(explain(late)?.kind).toBe(kind);
  });

  test('macOS keeps it from its network: only a person can change that; a network program that was away is begun anew', () => {
    expect(explain(says('connect: no route to host'))?.recovery).toBe('give-up');
    const away = 'dial unixgram /s/a->/s/b: connect: connection refused';
    expect(explain(says(away))?.recovery).toBeUndefined();
  });
  test('a log line that is fatal tells of what happens beside the VM', () =>
    expect(
      explain(['time="x" level=fatal msg="listen unix /s: bind: address already in use"'])?.kind,
    ).toBe('vm-socket-taken'));
  test('a guest that powers off, and an end that says nothing', () => {
    expect(explain(['time="x" level=info msg="VM is stopped"'], 0)?.kind).toBe('guest-powered-off');
    expect(explain([], 1)).toBeUndefined();
    const killed = { kind: 'signalled', signal: 'SIGKILL' } as const;
    expect(explainVfkit({ ended: killed, output: [], console: [] })).toBeUndefined();
  });
  test('the whole of an error with several lines is kept', () =>
    expect(errorIn(says('a\nb\n}'))).toBe('a b }'));
});
