/**
 * The programs that run a guest, a row each: everything in which they differ that others have to know. Nobody else asks for a program
 * by its name to learn what it can do.
 */
import { nativeSystem, type System } from './guest-system.ts';

/** How a VM program can run guest code: in hardware (kvm, hvf) or by translating it (tcg). */
export type Accelerator = 'kvm' | 'hvf' | 'tcg';

/** A kind of host: platform and processor as Node names them. */
export type HostKind = `${'darwin' | 'linux'}-${'arm64' | 'x64'}`;

/**
 * How a VM program is attached to its guest's network: `own` makes it itself; `vpnkit` is VPNKit's Ethernet protocol on a stream socket;
 * `qemu-stream` QEMU's framing on one; `vfkit-dgram` one frame a datagram on a Unix datagram socket.
 */
export type Link = 'own' | 'vpnkit' | 'qemu-stream' | 'vfkit-dgram';

/** What gives a guest its network; `user` is the VM program's own, the others are programs beside it. */
export const networkNames = ['user', 'vpnkit', 'gvproxy'] as const;
/** As the setting `network` spells it. */
export type NetworkName = (typeof networkNames)[number];

/** What each network can be attached by. */
const networkLinks: Readonly<Record<NetworkName, readonly Link[]>> = {
  user: ['own'],
  vpnkit: ['vpnkit'],
  gvproxy: ['vpnkit', 'qemu-stream', 'vfkit-dgram'],
};

/** A row of the table: what one program can do. */
export interface VmProgram {
  /** For people. */
  readonly title: string;
  /** The hosts that it is made for. */
  readonly hosts: readonly HostKind[];
  /** Whether it runs guests of another processor than the host's. */
  readonly guests: 'native' | 'any';
  /** Ways to run guest code, best first; where the host can have one only, there is nothing to try. */
  readonly accelerators: readonly Accelerator[];
  /** How it can be attached to a network, best first. */
  readonly links: readonly Link[];
  readonly console: {
    /** How it writes the guest's console: a file that grows, or a ring without marks. */
    readonly form: 'append' | 'ring';
    /** What the guest's kernel calls it: `console=` on its command line. */
    readonly device: Readonly<Record<System, string>>;
  };
  /** Where the guest's agent listens; the seed's AGENT. */
  readonly agent: 'virtio' | 'vsock';
  /** How the guest's sshd is reached from the host; the seed's SSH. */
  readonly ssh: 'network' | 'vsock';
  /** Whether it boots an image in parts: the root as a disk of its own, which no guest has to unpack, and an x86 kernel unpacked. */
  readonly bootsParts: boolean;
  /** Whether it pauses its guest when the host's disk is full; else the guest's writes fail. */
  readonly pausesOnFullDisk: boolean;
  /** What the host gets back of what a running guest has freed; whether it does is seen in the guest, by its kernel's tables. */
  readonly givesBack: {
    /** The platforms where memory goes back. */
    readonly memory: readonly ('darwin' | 'linux')[];
    /** Whether blocks of the disk do: a discard makes a hole in its file. */
    readonly disk: boolean;
  };
  /** The ways to run guest code in which a guest can be put into a file and go on from there. */
  readonly suspends: readonly Accelerator[];
  /** Whether a guest that reboots, or panics with `panic=-1`, boots anew inside the same process. */
  readonly rebootsInPlace: boolean;
  /** The oldest macOS that its programs start on. */
  readonly leastMacos?: string;
  /** Most CPUs that it takes; the host's where absent. */
  readonly maxCpus?: number;
  /** With which word it says its version. */
  readonly versionFlag: string;
}

/** The table. A fourth program is a row here and a driver in vm/. */
export const vmPrograms = {
  qemu: {
    title: 'QEMU',
    hosts: ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64'],
    guests: 'any',
    accelerators: ['kvm', 'hvf', 'tcg'],
    links: ['own', 'qemu-stream'],
    console: {
      form: 'append',
      device: { 'x86_64-linux': 'ttyS0', 'aarch64-linux': 'ttyAMA0' },
    },
    agent: 'virtio',
    ssh: 'network',
    bootsParts: true,
    pausesOnFullDisk: true,
    givesBack: { memory: ['linux'], disk: true },
    suspends: ['kvm', 'hvf', 'tcg'],
    rebootsInPlace: false,
    versionFlag: '--version',
  },
  hyperkit: {
    title: 'HyperKit',
    hosts: ['darwin-x64'],
    guests: 'native',
    accelerators: ['hvf'],
    links: ['vpnkit'],
    console: { form: 'ring', device: { 'x86_64-linux': 'ttyS0', 'aarch64-linux': 'ttyS0' } },
    agent: 'vsock',
    ssh: 'vsock',
    bootsParts: false,
    pausesOnFullDisk: false,
    // From v0.20200908 on, by F_PUNCHHOLE (its src/lib/block_if.c).
    givesBack: { memory: [], disk: true },
    // Its source has nothing of the kind.
    suspends: [],
    rebootsInPlace: false,
    // It is compiled for so many (VM_MAXCPU in its vmm.h).
    maxCpus: 64,
    versionFlag: '-v',
  },
  vfkit: {
    title: 'vfkit',
    hosts: ['darwin-arm64', 'darwin-x64'],
    guests: 'native',
    accelerators: ['hvf'],
    links: ['vfkit-dgram'],
    console: { form: 'append', device: { 'x86_64-linux': 'hvc0', 'aarch64-linux': 'hvc0' } },
    agent: 'vsock',
    ssh: 'network',
    bootsParts: false,
    pausesOnFullDisk: false,
    // Virtualization.framework offers it for most raw disks: https://github.com/apple/containerization/issues/738.
    givesBack: { memory: [], disk: true },
    // Not in 0.6.4: https://github.com/crc-org/vfkit/issues/449.
    suspends: [],
    rebootsInPlace: true,
    // Of 0.6.2 and later.
    leastMacos: '13',
    versionFlag: '--version',
  },
} as const satisfies Readonly<Record<string, VmProgram>>;

/** As the setting `vm` spells it. */
export type VmName = keyof typeof vmPrograms;

/** One cast: the keys of a literal are its names. */
export const vmNames = Object.keys(vmPrograms) as VmName[];

/** The networks that a VM program can have, best first. */
export const networksOf = ({ links }: Pick<VmProgram, 'links'>): readonly NetworkName[] => [
  ...new Set(
    links.flatMap((link) => networkNames.filter((name) => networkLinks[name].includes(link))),
  ),
];

/** By what a VM program is attached to that network; undefined where they do not go together. */
export const linkTo = (
  { links }: Pick<VmProgram, 'links'>,
  network: NetworkName,
): Link | undefined => links.find((link) => networkLinks[network].includes(link));

/** Whether that program makes a network itself; of `auto` nobody knows. */
export const hasOwnNetwork = (vm: VmName | 'auto'): boolean =>
  vm !== 'auto' && linkTo(vmPrograms[vm], 'user') !== undefined;

/** The ways in which a VM program can run a guest of that system on this host, best first. */
export const waysOf = (
  { accelerators }: Pick<VmProgram, 'accelerators'>,
  {
    platform,
    arch,
    system,
  }: { readonly platform: string; readonly arch: string; readonly system: System },
): readonly Accelerator[] =>
  accelerators.filter(
    (way) => way === 'tcg' || (homeOf[way] === platform && system === nativeSystem(arch)),
  );

/**
 * Whether a guest of that program may be put into a file. Under hvf on an Intel Mac its clock would jump: QEMU does not put the
 * processor's counter back there (target/i386/hvf/x86hvf.c; UTM issue 6119).
 */
export const suspends = (
  row: Pick<VmProgram, 'suspends'>,
  accelerator: Accelerator,
  arch: string,
): boolean => row.suspends.includes(accelerator) && (accelerator !== 'hvf' || arch === 'arm64');

/** The only platform that has it; `tcg` is plain computation. */
export const homeOf: Readonly<Record<Accelerator, 'darwin' | 'linux' | undefined>> = {
  kvm: 'linux',
  hvf: 'darwin',
  tcg: undefined,
};
