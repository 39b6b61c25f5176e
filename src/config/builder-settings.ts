/** The settings that say what the builder is, in the order in which `configure --help` and docs/configuration.md name them. */
import * as v from 'valibot';
import { leastDiskGiB } from './host-limits.ts';
import { instance } from './instance.ts';
import { feature, flag, listOf, oneOf, whole, type Setting } from './setting.ts';
import { extraSystemNames, systemNames } from '../domain/guest-system.ts';
import { networkNames, vmNames } from '../domain/vm-programs.ts';

const absolute = 'must be an absolute path';
const protocols = ['ssh-ng', 'ssh'] as const;
const accelerators = ['auto', 'kvm', 'hvf', 'tcg'] as const;

export const builderSettings = {
  /** What Nix may ask of the builder. */
  features: {
    schema: v.optional(listOf(feature)),
    flags: [
      flag('-f, --features <list>', 'system features it offers to Nix, separated by commas', {
        is: 'list',
      }),
    ],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'System features that the builder offers to Nix.',
        'words, separated by commas; in `config.json`, a JSON list',
        '`benchmark`, and `big-parallel` with 4 or more CPUs',
      ],
    ],
  },
  diskGiB: {
    schema: v.optional(whole(leastDiskGiB, 64 * 1024)),
    flags: [flag('-s, --disk <GiB>', 'size of the disk; it never shrinks', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [
      [
        "Size of the guest's disk. You can make it larger, never smaller.",
        "GiB, from 2 to the size of the host's file system",
        "80, or the file system's size if that is smaller",
      ],
    ],
  },
  cpus: {
    schema: v.optional(whole(1, 512)),
    flags: [flag('-c, --cpus <count>', 'number of CPUs', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'CPUs of the guest.',
        '1 to the number that the host has',
        'as many as the host has, up to 8; on a Mac with performance and efficiency cores, the number of performance cores',
      ],
    ],
  },
  memoryMiB: {
    schema: v.optional(whole(512, 4 * 1024 * 1024)),
    flags: [flag('-m, --memory <MiB>', 'amount of memory', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'Memory of the guest.',
        "MiB, from 512 to the host's memory",
        "a quarter of the host's memory, but at least 2048 and at most 8192, and never more than half of the host's memory. In a container or a systemd slice with a memory limit, that limit counts as the host's memory",
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
        'What ssh connects to: a port on 127.0.0.1 (`tcp`), or a socket that no other user can reach (`unix`).',
        '`tcp`, `unix`',
        '`tcp`',
      ],
    ],
  },
  /** The front door on 127.0.0.1, where it is one. */
  port: {
    schema: v.optional(whole(1, 65535), instance.port),
    flags: [flag('--port <number>', 'port of the builder on 127.0.0.1', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [["The port for Nix's ssh, if `door` is `tcp`.", '1 to 65535', String(instance.port)]],
  },
  maxJobs: {
    schema: v.optional(whole(1, 1024)),
    flags: [flag('--max-jobs <count>', 'builds that may run at a time', { is: 'number' })],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'How many builds Nix sends at a time. The CPUs are divided equally between them.',
        '1 to 1024',
        "one per CPU, but no more than one per GiB of the guest's memory",
      ],
    ],
  },
  /** Offered too, and only to what requires all of these: so a builder is kept for some builds. */
  mandatoryFeatures: {
    schema: v.optional(listOf(feature), []),
    flags: [
      flag('--mandatory-features <list>', 'build only what requires all of these', {
        is: 'list',
      }),
    ],
    acts: 'guest',
    page: [
      [
        'Nix sends only builds that require all of these system features. You need not repeat them in `features`.',
        'words, separated by commas; in `config.json`, a JSON list',
        'none',
      ],
    ],
  },
  /** Among several builders that can do a build, Nix takes the one where this, by its load, is largest. Older ones take whole numbers only. */
  speedFactor: {
    schema: v.optional(whole(1, 1000), 1),
    flags: [
      flag('--speed-factor <number>', 'its speed relative to other builders', {
        is: 'number',
      }),
    ],
    acts: 'now',
    page: [
      [
        'If there are several builders, Nix prefers the one with the largest factor.',
        '1 to 1000',
        '1',
      ],
    ],
  },
  /** How Nix talks to the builder. */
  protocol: {
    schema: v.optional(v.picklist(protocols, 'must be ssh-ng or ssh'), 'ssh-ng'),
    flags: [flag('--protocol <name>', 'protocol that Nix uses: ssh-ng or ssh')],
    acts: 'now',
    page: [
      ['How Nix talks to the builder. `ssh` is the older protocol.', '`ssh-ng`, `ssh`', '`ssh-ng`'],
    ],
  },
  /** Which program runs the guest; `auto`: the best that this machine has, as each start finds. */
  vm: {
    schema: v.optional(v.picklist([...vmNames, 'auto'], oneOf(['auto', ...vmNames])), 'auto'),
    flags: [flag('--vm <name>', 'program that runs the guest: auto, qemu, hyperkit or vfkit')],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'The [program that runs the guest](backends.md).',
        '`auto`, `qemu`, `hyperkit` (Intel Macs), `vfkit` (Macs)',
        '`auto`, which takes the best one at the first start and keeps it until it fails',
      ],
    ],
  },
  /** The guest's machine; another than the host's own is emulated. */
  system: {
    schema: v.optional(v.picklist(systemNames, oneOf(systemNames))),
    flags: [
      flag(
        '--system [name]',
        "x86_64-linux or aarch64-linux; emulated if it is not this machine's own (without a name: same as --autostart boot)",
      ),
    ],
    acts: 'guest',
    isShown: true,
    page: [
      [
        "The guest's system. A system other than the host's is emulated, and slow. (`--system` alone, without a name, is something else: it means `--autostart boot`.)",
        '`x86_64-linux`, `aarch64-linux`',
        "the host's own",
      ],
    ],
  },
  /** What else the guest runs by its own processor: offered to Nix beside its system. */
  extraSystems: {
    schema: v.optional(listOf(v.picklist(extraSystemNames, oneOf(extraSystemNames))), []),
    flags: [
      flag('--extra-systems <list>', 'other systems it builds for: i686-linux', {
        is: 'list',
      }),
    ],
    acts: 'now',
    isShown: true,
    page: [
      [
        'Further systems that the guest can build for. They are offered to Nix as well.',
        '`i686-linux`',
        'none',
      ],
    ],
  },
  /** Which program gives it its network; `user` is QEMU's own. Left out: QEMU's own, or for the others what is installed. */
  network: {
    schema: v.optional(v.picklist(networkNames, oneOf(networkNames))),
    flags: [flag('--network <name>', 'network of the guest: user, vpnkit or gvproxy')],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'The program that gives the guest its network. `user` is built into QEMU.',
        '`user`, `vpnkit`, `gvproxy`',
        '`user` with QEMU; with HyperKit and vfkit, a suitable one that is installed. If that QEMU was built without `user`, or if this machine has only IPv6 name servers, which `user` cannot use, an installed `gvproxy` takes its place, unless `vm` is set to `qemu`',
      ],
    ],
  },
  accelerator: {
    schema: v.optional(v.picklist(accelerators, 'must be auto, kvm, hvf or tcg'), 'auto'),
    flags: [flag('--accelerator <name>', 'auto, kvm, hvf or tcg')],
    acts: 'guest',
    isShown: true,
    page: [
      [
        "What runs the guest's code: the processor's virtualisation (`kvm` on Linux, `hvf` on a Mac), or emulation (`tcg`), which is slow and [no security boundary](../SECURITY.md#what-is-not-protected). vfkit and HyperKit always use virtualisation: `hvf` includes them, `tcg` excludes them.",
        '`auto`, `kvm`, `hvf`, `tcg`',
        '`auto`, the first that works in a trial, and `tcg` if none does. One that you name is never replaced: if it does not work, the guest stays off',
      ],
    ],
  },
  /** PREFIX of PREFIX-kernel, PREFIX-initrd.img, PREFIX-cmdline. */
  bundle: {
    schema: v.optional(v.pipe(v.string(absolute), v.regex(/^\//, absolute))),
    flags: [
      flag('--bundle <prefix>', 'path prefix of another image', {
        is: 'path',
      }),
    ],
    acts: 'guest',
    isShown: true,
    page: [
      [
        'An image of your own to boot instead: the PREFIX of its files `PREFIX-kernel`, `PREFIX-initrd.img` and `PREFIX-cmdline`.',
        'an absolute path',
        'the image that `image build` made',
      ],
    ],
  },
} as const satisfies Readonly<Record<string, Setting>>;
