import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { userNetwork } from '../../src/net/networks.ts';
import { bundleAt, type BootParts } from '../../src/vm/boot-image.ts';
import { findProgram } from '../../src/system/process/find-program.ts';
import type { Abilities, Accelerator } from '../../src/vm/vm-driver.ts';
import { qemuAbilities } from '../../src/vm/qemu/qemu-abilities.ts';
import { qemuPlan, qemuProgram, trialPlan } from '../../src/vm/qemu/qemu-argv.ts';
import { removeTree } from '../remove-tree.ts';

const config: Config = {
  vm: 'qemu',
  network: 'user',
  cpus: 2,
  memoryMiB: 2048,
  diskGiB: 80,
  door: 'tcp',
  port: 24083,
  maxJobs: 2,
  coresPerJob: 1,
  features: [],
  extraSystems: [],
  mandatoryFeatures: [],
  speedFactor: 1,
  protocol: 'ssh-ng',
  accelerator: 'auto',
  bundle: undefined,
  acceptOldImage: '',
  imageUpdates: 'off',
  snapshots: '',
  holdSeconds: 180,
  keepAwake: false,
  start: 'login',
  idle: { after: '10 min', how: 'never', onBattery: 'same', onLowMemory: 'same' },
  verbose: false,
  notifications: false,
  hostPorts: [],
  buildsReachLan: true,
  system: 'x86_64-linux',
};
const plan = (
  changes: Partial<Config> = {},
  accelerator: Accelerator = 'tcg',
  root = '/s',
  major?: number,
  parts?: BootParts,
) =>
  qemuPlan({
    ...(parts && { parts }),
    config: { ...config, ...changes },
    layout: layoutOf(root),
    bundle: bundleAt('/s/image/builder'),
    cmdline: 'quiet',
    program: '/q',
    accelerator,
    abilities: { sandbox: false, forwardsUnix: false, ...(major === undefined ? {} : { major }) },
    network: userNetwork,
    uuid: '00000000-0000-4000-8000-000000000000',
  });

describe('the command line', () => {
  test('is all there is', () =>
    expect(plan().argv.join(' ')).toMatchInlineSnapshot(
      `"-name linuxkit-builder -nodefaults -no-user-config -no-reboot -display none -machine pc -accel tcg,tb-size=256 -cpu max,-cx16,-erms,-fsrm -smp 2 -m 2048 -kernel /s/nix-state/kernel -initrd /s/nix-state/initrd -append quiet console=ttyS0 linuxkit-builder.vm=qemu linuxkit-builder.login=60 -chardev file,id=console,path=/s/nix-state/console-ring,append=on -serial chardev:console -drive file=/s/nix-disk,if=none,id=disk,format=raw,cache=writeback,discard=unmap,werror=stop,rerror=stop -device virtio-blk-pci,drive=disk -netdev user,id=net,hostfwd=tcp:127.0.0.1:0-:22 -device virtio-net-pci,netdev=net,mac=52:54:00:4c:4b:42,romfile= -chardev socket,id=agent,path=/s/nix-state/agent.sock,server=on,wait=off -device virtio-serial-pci -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0 -device virtio-rng-pci -qmp unix:/s/nix-state/qmp.sock,server=on,wait=off"`,
    ));

  test('has CPUs and memory of the config', () => {
    const argv = plan({ cpus: 7, memoryMiB: 3000 }).argv;
    expect(argv[argv.indexOf('-smp') + 1]).toBe('7');
    expect(argv[argv.indexOf('-m') + 1]).toBe('3000');
  });

  test.each([
    ['kvm', 'x86_64-linux', 'host'],
    ['hvf', 'aarch64-linux', 'host'],
    ['tcg', 'aarch64-linux', 'max,pauth-impdef=on'],
  ] as const)('%s on %s runs CPU %s', (accelerator, system, cpu) => {
    const argv = plan({ system }, accelerator).argv;
    expect(argv[argv.indexOf('-cpu') + 1]).toBe(cpu);
  });

  // Behaviour 42: With QEMU 10 or newer, an emulated x86 guest can run programs built for x86-64-v2. An older QEMU
  // does not give the guest one of the instructions that these programs need (cmpxchg16b).
  test.each([
    [7, 2, 'max,-cx16,-erms,-fsrm'],
    [7, 1, 'max,-cx16,-erms,-fsrm'],
    [9, 2, 'max,-cx16,-erms,-fsrm,-fsrs'],
    [10, 2, 'max,-erms,-fsrm,-fsrs'],
    [11, 8, 'max,-erms,-fsrm,-fsrs'],
    [undefined, 2, 'max,-cx16,-erms,-fsrm'],
    [undefined, 1, 'max,-cx16,-erms,-fsrm'],
  ])('QEMU %s emulates %s x86 processors as %s', (major, cpus, cpu) => {
    const { argv } = plan({ cpus }, 'tcg', '/s', major);
    expect(argv[argv.indexOf('-cpu') + 1]).toBe(cpu);
  });

  test('an ARM guest has its own program, machine and console', () => {
    expect(qemuProgram({ system: 'aarch64-linux' })).toBe('qemu-system-aarch64');
    expect(plan({ system: 'aarch64-linux' }).argv.join(' ')).toMatch(
      /-machine virt.*console=ttyAMA0/,
    );
  });

  test('a comma in a path does not end the option', () =>
    expect(plan({}, 'tcg', '/a,b').argv).toContain(
      'file=/a,,b/nix-disk,if=none,id=disk,format=raw,cache=writeback,discard=unmap,werror=stop,rerror=stop',
    ));

  // Behaviour 155: QEMU gets the guest's root as a disk that cannot be written. An emulated x86 guest boots its kernel unpacked.
  test('boots an image in parts, where it has them', () => {
    const root = { stage1: 512, at: 4096, size: 8192 };
    const words = (accelerator: Accelerator, isUnpacked = true) =>
      plan({}, accelerator, '/s,t', 9, { isUnpacked, root }).argv.join(' ');
    expect(words('tcg')).toContain(
      '-drive file=/s,,t/nix-state/root,if=none,id=root,format=raw,readonly=on,offset=4096,size=8192 ' +
        '-device virtio-blk-pci,drive=root,serial=linuxkit-root ',
    );
    expect(words('tcg')).toContain('-kernel /s,t/nix-state/vmlinux ');
    expect(words('tcg', false)).toContain('-kernel /s,t/nix-state/kernel ');
    for (const accelerator of ['kvm', 'hvf'] as const)
      expect(words(accelerator)).toContain('-kernel /s,t/nix-state/kernel ');
  });

  test("the environment is ours, not the user's", () =>
    expect(Object.keys(plan().env).sort()).toEqual(['PATH', 'TMPDIR']));

  test('a trial has no disk and no network', () => {
    const trial = trialPlan({
      config,
      program: '/q',
      accelerator: 'kvm',
      bundle: bundleAt('/s/image/builder'),
      layout: layoutOf('/s'),
    });
    expect(trial.argv.join(' ')).not.toMatch(/drive|netdev|virtio/);
  });
});

// Behaviour 74: If QEMU's own network can pass connections from a Unix socket on the host to the guest, which each
// start tests, the guest's sshd is reached through a socket that only the owner can use. Otherwise, it is reached
// through a port on 127.0.0.1.
test('a QEMU is kept in its sandbox and forwards a socket, where it can', async () => {
  const { signal } = new AbortController();
  const program = findProgram(qemuProgram(config));
  const input = {
    config,
    layout: layoutOf('/s'),
    bundle: bundleAt('/s/image/builder'),
    cmdline: 'quiet',
    program,
    accelerator: 'tcg' as const,
    network: userNetwork,
    uuid: '',
  };
  const words = (abilities?: Abilities) => qemuPlan({ ...input, abilities }).argv.join(' ');
  const unable = { sandbox: false, forwardsUnix: false };
  const kept = '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';
  const [socket, port] = ['unix:/s/nix-state/ssh.sock-:22', 'tcp:127.0.0.1:0-:22'];
  for (const without of [words(), words(unable)]) {
    expect(without).not.toMatch(/-sandbox|balloon/);
    expect(without).toContain(`user,id=net,hostfwd=${port} `);
  }
  expect(words({ ...unable, sandbox: true })).toContain(kept);
  expect(words({ ...unable, reportsFreePages: true })).toContain(
    '-device virtio-balloon-pci,free-page-reporting=on ',
  );
  expect(words({ ...unable, forwardsUnix: true })).toContain(`user,id=net,hostfwd=${socket} `);
  // Every QEMU of a Linux distribution has a sandbox; the other is of QEMU 11.
  const isLinux = process.platform === 'linux';
  const major = expect.any(Number) as number;
  const forwardsUnix = takesSocket(program);
  // Since QEMU 5.1; macOS keeps what is given back.
  const can = { sandbox: isLinux, forwardsUnix, reportsFreePages: isLinux };
  expect(await qemuAbilities(program, signal)).toEqual({ ...can, major, machine: 'q35' });
  const found = await qemuAbilities('/bin/false', signal);
  expect(found).toEqual({ ...unable, reportsFreePages: false });
});

// Behaviour 62: An `x86_64-linux` guest gets QEMU's newer PC machine type (`q35`), or the older one (`pc`) if the
// QEMU that runs it lacks the newer.
test.each([
  ['q35', 'pc'],
  ['pc', 'q35'],
] as const)(
  'a guest gets the machine %s of a QEMU without %s, in a trial too',
  async (machine, no) => {
    const { signal } = new AbortController();
    const dir = mkdtempSync(join(tmpdir(), 'kvm-'));
    try {
      const program = join(dir, 'qemu-kvm');
      const real = findProgram('qemu-system-x86_64');
      // What has to do with the other one is taken out of what the real one says, and refused.
      const script = `#!/bin/sh
case " $* " in *' -machine ${no} '*) echo "qemu-kvm: unsupported machine type '${no}'" >&2; exit 1 ;; esac
case " $* " in *' -qmp stdio '*) '${real}' "$@" | sed -u 's/"alias": "${no}"/"alias": "none"/' ;; *) exec '${real}' "$@" ;; esac
`;
      writeFileSync(program, script, { mode: 0o755 });
      const abilities = await qemuAbilities(program, signal);
      const input = {
        config,
        layout: layoutOf(dir),
        bundle: bundleAt(join(dir, 'b')),
        cmdline: 'quiet',
        program,
        accelerator: 'tcg' as const,
        network: userNetwork,
        uuid: '',
        abilities,
      };
      for (const { argv } of [qemuPlan(input), trialPlan(input)]) {
        const at = argv.indexOf('-machine');
        expect(argv[at + 1]).toBe(machine);
      }
      // Guests of arm64 have one machine everywhere.
      const arm = qemuPlan({ ...input, config: { ...config, system: 'aarch64-linux' } }).argv;
      expect(arm[arm.indexOf('-machine') + 1]).toMatch(/^virt,/);
    } finally {
      removeTree(dir);
    }
  },
);

/** Whether a QEMU begins with a socket forwarded, as it would for a guest. */
function takesSocket(program: string): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'forward-'));
  try {
    const machine = ['-machine', 'none', '-nodefaults', '-display', 'none', '-qmp', 'stdio'];
    const forward = ['-netdev', `user,id=n,hostfwd=unix:${dir}/s-:22`];
    const input = '{"execute":"qmp_capabilities"}{"execute":"quit"}';
    return spawnSync(program, [...machine, ...forward], { input }).status === 0;
  } finally {
    removeTree(dir);
  }
}
