/** What people type, verb by verb: shown below each verb's help and in the manual page. Data. */
export const examples: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  up: [
    ['up', 'all of it; what is done is not done again'],
    ['up --install', 'the programs that are missing, too'],
  ],
  configure: [
    ['configure', 'everything by default'],
    ['configure -c 8 -m 16384 -s 200', '8 CPUs, 16 GiB of memory, 200 GiB of disk'],
    ['configure --dry-run --port 24100', 'what another port would change'],
    ['configure --reset cpus,memory', 'their defaults again'],
    ['configure --no-root', 'where somebody else is the administrator'],
  ],
  unconfigure: [
    ['unconfigure --dry-run', 'what would be undone'],
    ['unconfigure --purge', 'and delete the disk and the keys'],
  ],
  image: [['image build', 'make the guest; needs the network the first time']],
  'image build': [
    ['image build', 'make the guest; needs the network the first time'],
    ['image build -o /tmp/linux', 'somewhere else'],
  ],
  upgrade: [['upgrade', 'the same as: linuxkit-builder image update']],
  'image update': [['image update && linuxkit-builder restart', 'the newest packages, now']],
  'image info': [['image info --json', 'what is in the newest image, for programs']],
  'image verify': [['image verify', 'compare every file with what was made']],
  keys: [['keys renew', 'when a key may have been copied, a backup with it for one']],
  'keys renew': [
    [
      'stop && linuxkit-builder keys renew && linuxkit-builder start',
      'and go on with the new ones',
    ],
  ],
  disk: [['disk reset', 'begin with an empty store; the keys stay']],
  'disk reset': [['disk reset --yes', 'without being asked']],
  'disk keep': [['disk keep', 'when you know that nobody could have abused it']],
  start: [['start && linuxkit-builder wait', 'start, and return when Nix can build']],
  stop: [['stop', 'in order; it stays stopped until start or your next login']],
  restart: [['restart', 'take new settings']],
  suspend: [
    ['suspend', 'its memory is free; the next build brings it back'],
    ['suspend --now --force', 'also where builds run, which fail then'],
  ],
  resume: [['resume && linuxkit-builder wait', 'before a build has to wait for it']],
  wait: [['wait -t 60', 'at most a minute']],
  drain: [['drain --wait', 'before you work on this machine']],
  undrain: [['undrain', 'builds may come again']],
  gc: [['gc', 'when the disk has grown; builds wait meanwhile']],
  trim: [['trim', 'after something was deleted inside']],
  status: [
    ['status --watch', 'go on until ^C'],
    ['status --json', 'for programs; docs/status.schema.json says what it prints'],
  ],
  list: [['list --json', 'the builders that there are, for programs']],
  machines: [
    ['machines', 'for a list of builders on another machine, or nix-build --builders "$(...)"'],
  ],
  debug: [
    ['debug /nix/store/...-hello.drv', 'Nix names it when the build fails'],
    ['debug /nix/store/...-hello.drv -- make check', 'one command, in its directory'],
  ],
  'ssh-config': [['ssh-config > config && ssh -F config nix-linuxkit', 'for another ssh']],
  doctor: [
    ['doctor', 'what is wrong, and what mends it'],
    ['doctor --fix', 'mend what is safe to mend'],
    ['doctor --report report.txt', 'what a report of a fault needs, without what is secret'],
  ],
  explain: [
    ['explain nixpkgs#legacyPackages.aarch64-linux.hello', 'would it come here?'],
    ['explain ./default.nix', 'the same of a file'],
  ],
  console: [['console -f', 'what the guest writes, as it writes it']],
  logs: [['logs -f', 'what the daemon does']],
  ssh: [
    ['ssh', 'a shell in the guest'],
    ['ssh --root -- df -h /nix', 'as root; --root is its whole administration'],
  ],
  verdicts: [
    ['verdicts', 'which accelerator or network is not used, and why'],
    ['verdicts --clear', 'the cause is mended: try it again'],
  ],
  'boot-report': [['boot-report --html starts.html', 'a picture of the last starts']],
  completion: [['completion zsh > ~/.zfunc/_linuxkit-builder', 'for zsh']],
  man: [['man > linuxkit-builder.1', 'the manual page as a file']],
  daemon: [['daemon', 'what launchd and systemd run']],
};

/** The lines below a verb's help. */
export function exampleHelp(program: string, verb: string): string {
  const lines = (examples[verb] ?? []).map(
    ([words, what]) => `  $ ${program} ${words}\n      ${what}`,
  );
  return lines.length === 0 ? '' : `\nExamples:\n${lines.join('\n')}`;
}

/** What the exit codes mean (sysexits(3)), of all verbs. */
export const exitCodes: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'the answer is no: doctor found something, explain says that a build does not come'],
  [64, 'the command line or a setting is wrong'],
  [65, 'a file is not what it should be'],
  [66, 'a file is not there'],
  [69, 'something needed is not there: the daemon, a program, a network'],
  [70, 'a fault of linuxkit-builder itself'],
  [71, 'the system refused something'],
  [73, 'a file cannot be made'],
  [74, 'reading or writing failed'],
  [75, 'not now: try again'],
  [77, 'not permitted'],
  [78, 'the configuration is wrong or missing'],
  [130, 'interrupted'],
];
