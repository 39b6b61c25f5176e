/** What the packages are called that bring other people's programs. Data, and the commands that install them. */

/** A program that installs packages; the system's own before those that any system may have. */
export const managers = ['apt-get', 'dnf', 'pacman', 'apk', 'brew', 'nix-env'] as const;
/** A package manager that is known here. */
export type Manager = (typeof managers)[number];

type Packages = Readonly<Partial<Record<Manager, string>>>;

/** A space between two packages: both are needed. */
const packages: Readonly<Record<string, Packages>> = {
  'qemu-system-x86_64': {
    ...everywhere('qemu-system-x86'),
    dnf: ofRedHat('x64', 'qemu-system-x86'),
    apk: 'qemu-system-x86_64',
    brew: 'qemu',
    'nix-env': 'qemu',
  },
  'qemu-system-aarch64': {
    ...everywhere('qemu-system-aarch64'),
    'apt-get': 'qemu-system-arm',
    dnf: ofRedHat('arm64', 'qemu-system-aarch64'),
    brew: 'qemu',
    'nix-env': 'qemu',
  },
  ssh: {
    ...everywhere('openssh'),
    'apt-get': 'openssh-client',
    dnf: 'openssh-clients',
    apk: 'openssh-client',
  },
  'ssh-keygen': {
    ...everywhere('openssh'),
    'apt-get': 'openssh-client',
    dnf: 'openssh-clients',
    apk: 'openssh-keygen',
  },
  mksquashfs: { ...everywhere('squashfs-tools'), brew: 'squashfs', 'nix-env': 'squashfsTools' },
  flock: everywhere('util-linux'),
  ps: { ...everywhere('procps-ng'), 'apt-get': 'procps', brew: 'procps', 'nix-env': 'procps' },
  // Debian's daemon is a package of its own. Homebrew has no Nix, and who has nix-env has it.
  'nix-build': { 'apt-get': 'nix-bin nix-setup-systemd', dnf: 'nix', pacman: 'nix', apk: 'nix' },
};

function everywhere(name: string): Record<Manager, string> {
  return {
    'apt-get': name,
    dnf: name,
    pacman: name,
    apk: name,
    brew: name,
    'nix-env': name,
  };
}

/** The host's own kind is a package of Fedora and of Red Hat; the other kinds are Fedora's alone. */
function ofRedHat(arch: string, fedora: string): string {
  return process.arch === arch ? 'qemu-kvm' : fedora;
}

/** Whether it has that program. */
export const hasPackage = (name: string, manager: Manager): boolean =>
  packages[name]?.[manager] !== undefined;

/** The packages that bring these programs, each once; of a program that is not known, its own name. */
const packagesOf = (programs: readonly string[], manager: Manager): readonly string[] => [
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
  dnf: { asked: ['install'], quietly: ['install', '-y'] },
  pacman: { asked: ['-S'], quietly: ['-S', '--needed', '--noconfirm'] },
  apk: { asked: ['add'], quietly: ['add'] },
  brew: { asked: ['install'], quietly: ['install'] },
  // Of channels and of flakes alike: `<nixpkgs>` is where the installation's own packages come from.
  'nix-env': { asked: ['-f', '<nixpkgs>', '-iA'], quietly: ['-f', '<nixpkgs>', '-iA'] },
};

/** The arguments of a manager that installs what brings these programs. */
export const installCommand = (
  manager: Manager,
  programs: readonly string[],
  how: 'asked' | 'quietly' = 'asked',
): readonly string[] => [...words[manager][how], ...packagesOf(programs, manager)];

/** Not Homebrew, which refuses to be root, and not Nix, which installs for each user. */
export const needsRoot = (manager: Manager): boolean => manager !== 'brew' && manager !== 'nix-env';
