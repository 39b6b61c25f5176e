/** The settings that say what the builder is, in the order in which `configure --help` and docs/configuration.md name them. */
import * as v from 'valibot';
import { leastDiskGiB } from './host-limits.ts';
import { instance } from './instance.ts';
import { feature, flag, whole, type Setting } from './setting.ts';
import { extraSystemNames, systemNames } from '../domain/guest-system.ts';
import { networkNames, vmNames } from '../domain/vm-programs.ts';

const protocols = ['ssh-ng', 'ssh'] as const;
const accelerators = ['auto', 'kvm', 'hvf', 'tcg'] as const;

export const builderSettings = {
  /** What Nix may ask of the builder. */
  features: {
    schema: v.optional(v.array(feature)),
    flags: [
      flag('-f, --features <list>', 'system features it offers, with commas between', {
        is: 'list',
      }),
    ],
    acts: 'guest',
    isShown: true,
    page: [['words, with commas between', '`benchmark`, and `big-parallel` from 4 CPUs on']],
  },
  diskGiB: {
    schema: v.optional(whole('GiB', leastDiskGiB, 64 * 1024)),
    flags: [flag('-s, --disk <GiB>', 'size of its disk; never made smaller', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [["GiB, 2 to the size of the host's file system", '80, or that size where it is less']],
  },
  cpus: {
    schema: v.optional(whole('CPUs', 1, 512)),
    flags: [flag('-c, --cpus <count>', 'CPUs', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [
      ["1 to the host's", "the host's, at most 8; of a Mac with fast and slow ones the fast ones"],
    ],
  },
  memoryMiB: {
    schema: v.optional(whole('MiB', 512, 4 * 1024 * 1024)),
    flags: [flag('-m, --memory <MiB>', 'memory', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [
      [
        "MiB, 512 to the host's",
        "a quarter of the host's, from 2048 to 8192, and at most half; the host's is what a container or slice leaves of it",
      ],
    ],
  },
  /** What ssh connects to: a port of 127.0.0.1, or a Unix socket that only the owner and root can reach. */
  door: {
    schema: v.optional(v.picklist(['tcp', 'unix'], 'must be tcp or unix'), 'tcp'),
    flags: [flag('--door <how>', 'tcp, or unix: a socket that no other user can reach')],
    acts: 'guest',
    isShown: true,
    page: [
      [
        '`tcp`, `unix`',
        '`tcp`: ssh connects to a port of 127.0.0.1; `unix`: to a socket that no other user can reach',
      ],
    ],
  },
  /** The front door on 127.0.0.1, where it is one. */
  port: {
    schema: v.optional(whole('a port', 1, 65535), instance.port),
    flags: [flag('--port <number>', 'where it is reached on 127.0.0.1', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [['1 to 65535', String(instance.port)]],
  },
  maxJobs: {
    schema: v.optional(whole('jobs', 1, 1024)),
    flags: [flag('--max-jobs <count>', 'builds at a time', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'builds at a time',
        'one a CPU, with at least 1 GiB each; each build has an even share of the cores',
      ],
    ],
  },
  /** Offered too, and only to what requires all of these: so a builder is kept for some builds. */
  mandatoryFeatures: {
    schema: v.optional(v.array(feature), []),
    flags: [
      flag('--mandatory-features <list>', 'only what requires all of these is built here', {
        is: 'list',
      }),
    ],
    acts: 'guest',
    page: [
      [
        'words, with commas between',
        'none: Nix builds here only what requires all of these; they are offered, too',
      ],
    ],
  },
  /** Among several builders that can do a build, Nix takes the one where this, by its load, is largest. Older ones take whole numbers only. */
  speedFactor: {
    schema: v.optional(whole('times', 1, 1000), 1),
    flags: [
      flag('--speed-factor <number>', 'how much faster than other builders Nix may think it', {
        is: 'number',
      }),
    ],
    acts: 'now',
    page: [['1 to 1000', '1: among several builders Nix prefers the one where it is larger']],
  },
  /** How Nix talks to the builder. */
  protocol: {
    schema: v.optional(v.picklist(protocols, 'must be ssh-ng or ssh'), 'ssh-ng'),
    flags: [flag('--protocol <name>', 'how Nix talks to it: ssh-ng or ssh')],
    acts: 'now',
    page: [['`ssh-ng`, `ssh`', '`ssh-ng`: how Nix talks to the builder; `ssh` is the older one']],
  },
  /** Which program runs the guest; `auto`: the best that this machine has, as each start finds. */
  vm: {
    schema: v.optional(
      v.picklist([...vmNames, 'auto'], `must be auto, ${vmNames.join(', ')}`),
      'auto',
    ),
    flags: [flag('--vm <name>', 'the program that runs the guest: auto, qemu, hyperkit or vfkit')],
    acts: 'guest',
    isShown: true,
    page: [
      [
        '`auto`, `qemu`, `hyperkit` (Intel Macs), `vfkit` (Macs)',
        '`auto`: the best that this machine has; see [backends.md](backends.md)',
      ],
    ],
  },
  /** The guest's machine; another than the host's own is emulated. */
  system: {
    schema: v.optional(v.picklist(systemNames, `must be ${systemNames.join(' or ')}`)),
    flags: [
      flag(
        '--system [name]',
        'x86_64-linux or aarch64-linux; the foreign one is emulated (without a name: --autostart boot)',
      ),
    ],
    acts: 'guest',
    isShown: true,
    page: [['`x86_64-linux`, `aarch64-linux`', "the host's own"]],
  },
  /** What else the guest runs by its own processor: offered to Nix beside its system. */
  extraSystems: {
    schema: v.optional(
      v.array(v.picklist(extraSystemNames, `must be ${extraSystemNames.join(' or ')}`)),
      [],
    ),
    flags: [
      flag('--extra-systems <list>', 'what else the guest runs, and is to build: i686-linux', {
        is: 'list',
      }),
    ],
    acts: 'now',
    isShown: true,
    page: [
      [
        '`i686-linux`',
        'none: what else the guest runs by its own processor, offered to Nix beside its system',
      ],
    ],
  },
  /** Which program gives it its network; `user` is QEMU's own. Left out: QEMU's own, or for the others what is installed. */
  network: {
    schema: v.optional(v.picklist(networkNames, `must be ${networkNames.join(', ')}`)),
    flags: [flag('--network <name>', 'what gives it its network: user, vpnkit or gvproxy')],
    acts: 'guest',
    isShown: true,
    page: [
      [
        '`user`, `vpnkit`, `gvproxy`',
        "`user` (QEMU's own; gvproxy where that QEMU has none); with the others what is installed",
      ],
    ],
  },
  accelerator: {
    schema: v.optional(v.picklist(accelerators, 'must be auto, kvm, hvf or tcg'), 'auto'),
    flags: [flag('--accelerator <name>', 'auto, kvm, hvf or tcg')],
    acts: 'guest',
    isShown: true,
    page: [['`auto`, `kvm`, `hvf`, `tcg`', '`auto`: the first that a trial shows to work']],
  },
  /** PREFIX of PREFIX-kernel, PREFIX-initrd.img, PREFIX-cmdline. */
  bundle: {
    schema: v.optional(v.pipe(v.string(), v.regex(/^\//, 'must be an absolute path'))),
    flags: [
      flag('--bundle <prefix>', 'kernel, initrd and cmdline of another guest', { is: 'path' }),
    ],
    acts: 'guest',
    isShown: true,
    page: [["PREFIX of another guest's three files", 'the image that `image build` made']],
  },
} as const satisfies Readonly<Record<string, Setting>>;
