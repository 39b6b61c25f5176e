/** QEMU's command line: data in, argv out. */
import type { Config } from '../../config/config.ts';
import { instance } from '../../config/instance.ts';
import type { Layout } from '../../config/layout.ts';
import { vmPrograms } from '../../domain/vm-programs.ts';
import type { Launch } from '../../system/process/child.ts';
import type { Network } from '../../domain/guest-network.ts';
import { noParts, type BootParts } from '../boot-image.ts';
import type { Accelerator, PlanInput } from '../vm-driver.ts';
import { loginSeconds } from '../login-time.ts';
import { withoutFlags } from './emulated.ts';

/** The program for the config's system: guests are of the host's own architecture. */
export const qemuProgram = ({ system }: Pick<Config, 'system'>): string =>
  system === 'aarch64-linux' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';

/** The whole command line of one start. */
export function qemuPlan({
  config,
  layout,
  cmdline,
  program,
  accelerator,
  network: attached,
  abilities,
  parts = noParts,
}: PlanInput): Launch {
  return {
    program,
    argv: [
      '-name',
      instance.hostName,
      ...(abilities?.sandbox === true ? sandbox : []),
      ...machineOf({ config, accelerator, abilities }),
      '-smp',
      String(config.cpus),
      '-m',
      String(config.memoryMiB),
      '-kernel',
      kernelFile(layout, accelerator, parts),
      '-initrd',
      layout.initrd,
      '-append',
      `${cmdline} console=${consoleDevice(config)} ${saidTo(accelerator)}`,
      ...serial(layout),
      ...disk(layout),
      ...network(attached, layout, abilities),
      ...agent(layout),
      '-device',
      'virtio-rng-pci',
      ...balloon(abilities),
      ...root(layout, parts),
      ...monitor(layout.qmp),
    ],
    // QEMU needs none of the user's environment; TMPDIR is where it may put its own.
    env: { PATH: '/usr/bin:/bin', TMPDIR: layout.state },
    cwd: layout.state,
  };
}

/** What a trial needs to decide whether an accelerator runs a guest: the real start's processors and memory, and a kernel that talks. */
export function trialPlan(
  input: Pick<PlanInput, 'config' | 'program' | 'accelerator' | 'bundle' | 'layout' | 'abilities'>,
): Launch {
  const { config, program, accelerator, bundle, layout, abilities } = input;
  return {
    program,
    argv: [
      ...machineOf({ config, accelerator, abilities }),
      '-smp',
      String(config.cpus),
      '-m',
      String(config.memoryMiB),
      '-kernel',
      bundle.kernel,
      '-initrd',
      layout.trialInitrd,
      '-append',
      `console=${consoleDevice(config)} ${earlyConsole(config)} panic=-1`,
      '-chardev',
      `file,id=console,path=${quote(layout.trialConsole)}`,
      '-serial',
      'chardev:console',
      ...monitor(layout.trialQmp),
    ],
    env: { PATH: '/usr/bin:/bin', TMPDIR: layout.state },
    cwd: layout.state,
  };
}

/** Nothing that was not asked for (-nodefaults), no window, and a guest's reboot (also panic=) is an exit. */
function machineOf(emulated: MachineOptions): string[] {
  const { accelerator, config, abilities } = emulated;
  const { system } = config;
  const machine =
    system === 'aarch64-linux' ? 'virt,gic-version=max' : (abilities?.machine ?? 'pc');
  return [
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    '-display',
    'none',
    '-machine',
    machine,
    // With tcg QEMU itself knows whether processors can run beside each other: not where the host orders memory less strictly.
    '-accel',
    accelerator === 'tcg' ? `tcg,tb-size=${translatedMiB}` : accelerator,
    '-cpu',
    cpuOf(emulated),
  ];
}

/**
 * Room for code as it was translated; when it is full, QEMU begins anew. By default it is an eighth of the host's memory, up to 1 GiB, and
 * none of it is ever given back (QEMU, tcg/region.c): each login of QEMU 7.2 takes several MiB of it.
 */
const translatedMiB = 256;

type MachineOptions = Pick<PlanInput, 'config' | 'accelerator' | 'abilities'>;

function cpuOf(emulated: MachineOptions): string {
  if (emulated.accelerator !== 'tcg') return 'host';
  // The architected pointer authentication is slow to compute in software; QEMU's own is not (QEMU, docs/system/arm/cpu-features).
  if (emulated.config.system === 'aarch64-linux') return 'max,pauth-impdef=on';
  return ['max', ...withoutFlags(emulated).map((flag) => `-${flag}`)].join(',');
}

/**
 * Whoever breaks out of the guest into QEMU starts no program, changes no user and no priorities. Nothing of ours needs what is denied:
 * with `spawn=deny` a migration to `exec:`, which QMP offers, ends QEMU 7.2 (seen).
 */
const sandbox: readonly string[] = [
  '-sandbox',
  'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
];

/** What the guest learns by the kernel's command line (docs/guest-contract.md). */
const saidTo = (accelerator: string): string =>
  `linuxkit-builder.vm=qemu linuxkit-builder.login=${loginSeconds(accelerator)}`;

const consoleDevice = ({ system }: Config): string => vmPrograms.qemu.console.device[system];

/** Where the kernel writes before its drivers are there (Documentation/admin-guide/kernel-parameters.txt). */
const earlyConsole = ({ system }: Config): string =>
  system === 'aarch64-linux' ? 'earlycon' : 'earlyprintk=serial';

/** QEMU's machine protocol. Not by `-mon`, of which QEMU 11.1 warns at each start. */
const monitor = (path: string): string[] => ['-qmp', `unix:${quote(path)},server=on,wait=off`];

/** append=on opens O_APPEND, so that the reader may truncate what it has read. */
const serial = (layout: Layout): string[] => [
  '-chardev',
  `file,id=console,path=${quote(layout.consoleRing)},append=on`,
  '-serial',
  'chardev:console',
];

/**
 * Flushes of the guest reach the host's disk (writeback); freed blocks are given back (discard). Whatever read or write fails pauses the
 * guest, which hears of no error and does the same again when it goes on; QEMU's own choice is to pause for want of space alone.
 */
const disk = (layout: Layout): string[] => [
  '-drive',
  `file=${quote(layout.disk)},if=none,id=disk,format=raw,cache=writeback,discard=unmap,werror=stop,rerror=stop`,
  '-device',
  'virtio-blk-pci,drive=disk',
];

/**
 * Unpacked for an emulated guest, to which unpacking its kernel is a third of the wait until its first program runs (docs/decisions/boot.md).
 * Everywhere else that takes no time, and a kernel that unpacks itself chooses its addresses at random.
 */
const kernelFile = (layout: Layout, accelerator: Accelerator, { isUnpacked }: BootParts): string =>
  accelerator === 'tcg' && isUnpacked ? layout.unpacked : layout.kernel;

/** A part of a file, which nobody writes (qemu(1), raw: `offset`, `size`). The guest knows it by its serial number. */
const root = (layout: Layout, { root: part }: BootParts): string[] =>
  part === undefined
    ? []
    : [
        '-drive',
        `file=${quote(layout.rootImage)},if=none,id=root,format=raw,readonly=on,offset=${part.at},size=${part.size}`,
        '-device',
        'virtio-blk-pci,drive=root,serial=linuxkit-root',
      ];

function network(
  { attachment, guest }: Network,
  { guestSsh }: Layout,
  abilities: PlanInput['abilities'],
): string[] {
  const net =
    attachment?.kind === 'stream'
      ? `stream,id=net,server=off,addr.type=unix,addr.path=${quote(attachment.socket)}`
      : `user,id=net,hostfwd=${abilities?.forwardsUnix === true ? quote(forwardTo(guestSsh)) : freePort}`;
  // No option ROM: nobody boots from the network, and loading it costs time.
  const card = `virtio-net-pci,netdev=net,mac=${guest.mac ?? ''},romfile=`;
  return ['-netdev', net, '-device', card];
}

/** A rule of `hostfwd` by which a Unix socket leads to the guest's sshd. QEMU takes absolute paths only. */
export const forwardTo = (socket: string): string => `unix:${socket}-:22`;

/** Port 0: QEMU chooses a free one, which is read back over QMP, so that nothing races for it. */
const freePort = 'tcp:127.0.0.1:0-:22';

const agent = (layout: Layout): string[] => [
  '-chardev',
  `socket,id=agent,path=${quote(layout.agent)},server=on,wait=off`,
  '-device',
  'virtio-serial-pci',
  '-device',
  'virtserialport,chardev=agent,name=org.qemu.guest_agent.0',
];

/** What the guest has freed QEMU gives back to the host, by madvise(2): no balloon is ever blown up. */
const balloon = (abilities: PlanInput['abilities']): string[] =>
  abilities?.reportsFreePages === true
    ? ['-device', 'virtio-balloon-pci,free-page-reporting=on']
    : [];

/** In QEMU's option lists a comma ends a value; a doubled one is a comma (qemu(1), "-drive"). */
const quote = (path: string): string => path.replaceAll(',', ',,');
