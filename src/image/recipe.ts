/**
 * What goes into our guest: package names, the files of them that are kept, kernel modules, the kernel's command line.
 * The guest's own files are beside it in rootfs/ (rootfs/modes.json says what a plain file cannot).
 */
import { floorsFor, type Floor } from '../vm/floors.ts';
import type { DebianRelease } from './debian/suites.ts';

/** As Debian names it. */
export type Arch = 'amd64' | 'arm64';

/** Everything that is decided by hand; the lock is what that comes to on one day. */
export interface Recipe {
  /** Package names asked for, per Debian architecture. */
  readonly packages: (arch: Arch) => readonly string[];
  /** Where packages come from, in order of preference: the next one only where those before cannot meet a relation. */
  readonly releases: readonly DebianRelease[];
  /** Names of packages that are looked for in another release first. */
  readonly from: Readonly<Record<string, string>>;
  /** The lowest versions that are acceptable. */
  readonly floors: (arch: Arch) => readonly Floor[];
  /** Packages of the closure that are left out whole; what only they depend on is not wanted either. */
  readonly without: readonly string[];
  /** Paths of packages (no leading ./, after usr-merge, as usr/share/doc/x) that are not in the root. */
  readonly dropped: readonly RegExp[];
  /** Kernel modules that stage 1 inserts, in load order. */
  readonly stage1Modules: readonly string[];
  /** Kernel modules kept in the root, loaded after the start of the services. */
  readonly rootModules: readonly string[];
  /** Kernel modules kept in the root, loaded only where the VM program is reached by vsock. */
  readonly vsockModules?: readonly string[];
  /** The kernel command line of the triple; the daemon adds what docs/guest-contract.md says. */
  readonly cmdline: (arch: Arch) => string;
}

const dropped: readonly RegExp[] = [
  /^(boot|var|lib\/modules|usr\/lib\/modules)\//,
  /^usr\/share\/(?!(zoneinfo|misc)\/)/,
  /^usr\/(include|src|games|local)\//,
  // Service files, hooks and defaults of the init systems and package tools that are not here.
  /^usr\/lib\/(systemd|sysusers\.d|tmpfiles\.d|udev|pkgconfig|pcrlock\.d|initcpio|environment\.d)\//,
  /^usr\/lib\/[^/]+\/(gconv|perl|perl-base|security|audit|engines-3|ossl-modules|e2initrd_helper)(\/|$)/,
  /^etc\/(?!(protocols|services|rpc|ethertypes|mke2fs\.conf|bindresvport\.blacklist)$)/,
];

/** The guest that `image build` makes. */
export const recipe: Recipe = {
  packages: (arch) => [`linux-image-cloud-${arch}`, ...packages],
  releases: [
    {
      name: 'stable',
      suites: [
        { codename: 'trixie', archive: 'main' },
        { codename: 'trixie-updates', archive: 'main' },
        { codename: 'trixie-security', archive: 'security' },
      ],
    },
    { name: 'testing', suites: [{ codename: 'forky', archive: 'main' }] },
  ],
  // Debian 13 has no Nix with the fix for CVE-2026-39860.
  from: { 'nix-bin': 'testing' },
  floors: floorsFor,
  without: [
    // Maintainer scripts and what only they run: none of them ever runs here.
    'debconf',
    'init-system-helpers',
    'runit-helper',
    'sysuser-helper',
    'ucf',
    'lsb-base',
    'initramfs-tools',
    'linux-initramfs-tool',
    'linux-base',
    'libpam-runtime',
    'libpam-modules',
    'passwd',
    'base-passwd',
    'login.defs',
    'libsemanage-common',
    'debianutils',
    'adduser',
    // Perl is needed by three scripts of nix-bin that its C++ programs replaced.
    'perl',
    'libwww-curl-perl',
    'libdbd-sqlite3-perl',
    'curl',
    'bzip2',
    'xz-utils',
    // busybox does their work.
    'kmod',
    'procps',
    'sysvinit-utils',
    'logsave',
    'acpid',
    'systemd',
    'systemd-sysusers',
    'udev',
    'openssh-client',
    'openssh-sftp-server',
    'openssl',
    'openssl-provider-legacy',
    'readline-common',
    'libaudit-common',
    'libsasl2-modules-db',
  ],
  dropped,
  // The console's first, of kernels that have it not inside: until then nobody hears of anything.
  stage1Modules: ['virtio_console', 'squashfs', 'overlay', 'virtio_blk', 'loop', 'virtio_net'],
  // The balloon's driver tells the host which memory is free.
  rootModules: ['virtio-rng', 'virtio_balloon', 'button', 'evdev'],
  // The loopback is for tests of the listeners on hosts without vsock.
  vsockModules: ['vmw_vsock_virtio_transport', 'vsock_loopback'],
  cmdline: () => commandLine.join(' '),
};

/** Whether a path of a package is in the root. */
export const isKept = ({ dropped: patterns }: Pick<Recipe, 'dropped'>, path: string): boolean =>
  !patterns.some((pattern) => pattern.test(path));

const packages: readonly string[] = [
  'nix-bin',
  'openssh-server',
  'ca-certificates',
  'e2fsprogs',
  'qemu-guest-agent',
  'busybox-static',
  'bash-static',
  'netbase',
  'socat',
];

const commandLine: readonly string[] = [
  'quiet',
  'loglevel=4',
  // A panic becomes a reboot, which the host's VM program was told to turn into its end.
  'panic=-1',
  // With it, niceness would count only inside one session, and builds could starve sshd and the agent.
  'noautogroup',
  // The kernel's tests of its own ciphers are a tenth of an emulated boot.
  'cryptomgr.notests=1',
  // Nor are these: trying the source of randomness that only FIPS asks for, and checking the keys of modules, which have no signatures here.
  'initcall_blacklist=jent_mod_init,load_system_certificate_list',
];
