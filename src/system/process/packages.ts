/** What the packages are called that bring other people's programs. Data, and the commands that install them. */

/** A program that installs packages. */
export const managers = ['apt-get', 'brew', 'dnf', 'pacman'] as const;
/** A package manager that is known here. */
export type Manager = (typeof managers)[number];

/** A space between two packages: both are needed. */
const packages: Readonly<Record<string, Readonly<Record<Manager, string>>>> = {
  'qemu-system-x86_64': row(
    'qemu-system-x86',
    'qemu',
    ofRedHat('x64', 'qemu-system-x86'),
    'qemu-system-x86',
  ),
  'qemu-system-aarch64': row(
    'qemu-system-arm',
    'qemu',
    ofRedHat('arm64', 'qemu-system-aarch64'),
    'qemu-system-aarch64',
  ),
  ssh: row('openssh-client', 'openssh', 'openssh-clients', 'openssh'),
  'ssh-keygen': row('openssh-client', 'openssh', 'openssh-clients', 'openssh'),
  mksquashfs: row('squashfs-tools', 'squashfs', 'squashfs-tools', 'squashfs-tools'),
  flock: row('util-linux', 'util-linux', 'util-linux', 'util-linux'),
  ps: row('procps', 'procps', 'procps-ng', 'procps-ng'),
  // Debian's daemon is a package of its own. Homebrew has no Nix.
  'nix-build': row('nix-bin nix-setup-systemd', 'nix', 'nix', 'nix'),
};

/** The host's own kind is a package of Fedora and of Red Hat; the other kinds are Fedora's alone. */
function ofRedHat(arch: string, fedora: string): string {
  return process.arch === arch ? 'qemu-kvm' : fedora;
}

function row(debian: string, brew: string, fedora: string, arch: string) {
  return { 'apt-get': debian, brew, dnf: fedora, pacman: arch };
}

/** The packages that bring these programs, each once; of a program that is not known, its own name. */
export const packagesOf = (programs: readonly string[], manager: Manager): readonly string[] => [
  ...new Set(programs.flatMap((name) => (packages[name]?.[manager] ?? name).split(' '))),
];

/** How each installs, without a question of its own where `quietly`. */
const words: Readonly<
  Record<Manager, { readonly asked: readonly string[]; readonly quietly: readonly string[] }>
> = {
  'apt-get': {
    asked: ['install'],
    quietly: ['install', '-y', '-q', '--no-install-recommends'],
  },
  brew: { asked: ['install'], quietly: ['install'] },
  dnf: { asked: ['install'], quietly: ['install', '-y'] },
  pacman: { asked: ['-S'], quietly: ['-S', '--needed', '--noconfirm'] },
};

/** The arguments of a manager that installs what brings these programs. */
export const installCommand = (
  manager: Manager,
  programs: readonly string[],
  how: 'asked' | 'quietly' = 'asked',
): readonly string[] => [...words[manager][how], ...packagesOf(programs, manager)];

/** All but Homebrew, which refuses to be root. */
export const needsRoot = (manager: Manager): boolean => manager !== 'brew';
