/** What people type, command by command: shown below each command's help and in the manual page. Data. */
import { instance } from '../../config/instance.ts';
import { interruptedExit } from '../../system/failure.ts';

/** By a command's words: a command line without the program's name, and what it is for. */
export const examples: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  up: [
    ['up', 'set up everything; run it again to complete missing steps'],
    ['up --install', 'install missing programs as well'],
  ],
  configure: [
    ['configure', 'use the defaults'],
    [
      'configure -c 8 -m 16384 -s 200',
      'give the guest 8 CPUs, 16 GiB of memory and a 200 GiB disk',
    ],
    ['configure --dry-run --port 24100', 'show what a change of the port would do'],
    ['configure --reset cpus,memory', 'go back to the defaults of these settings'],
    ['configure --no-root', 'print the script for an administrator to run'],
  ],
  unconfigure: [
    ['unconfigure --dry-run', 'show what would be undone'],
    ['unconfigure --purge', 'delete the disk, the keys and the images too'],
  ],
  image: [['image build', 'build the image; needs the network the first time']],
  'image build': [
    ['image build', 'build the image; needs the network the first time'],
    ['image build -o /tmp/linux', 'write the image to another place'],
  ],
  upgrade: [['upgrade', 'the same as: linuxkit-builder image update']],
  'image update': [['image update && linuxkit-builder restart', 'use the newest packages now']],
  'image info': [['image info --json', 'print what the newest image was built from, as JSON']],
  'image verify': [['image verify', 'compare every file with the manifest']],
  keys: [['keys renew', 'replace the keys, for example after one may have been copied']],
  'keys renew': [
    [
      'stop && linuxkit-builder keys renew && linuxkit-builder start',
      'replace the keys and go on with the new ones',
    ],
  ],
  disk: [['disk reset', 'start over with an empty store; the keys are kept']],
  'disk reset': [['disk reset --yes', 'do not ask for confirmation']],
  'disk keep': [
    ['disk keep', 'keep the disk, if you know that nobody has exploited the vulnerability'],
  ],
  start: [['start && linuxkit-builder wait', 'start the builder and wait until Nix can use it']],
  stop: [['stop', 'stop cleanly; the builder stays stopped until start or your next login']],
  restart: [['restart', 'apply new settings']],
  suspend: [
    ['suspend', 'free the memory of the guest; the next build brings it back'],
    ['suspend --now --force', 'even if builds are running; they fail'],
  ],
  resume: [['resume && linuxkit-builder wait', 'have the guest ready before the next build']],
  wait: [['wait -t 60', 'wait for a minute at most']],
  drain: [['drain --wait', 'send new builds elsewhere and wait until this builder is unused']],
  undrain: [['undrain', 'accept builds again']],
  gc: [['gc', 'free disk space; new builds wait meanwhile']],
  trim: [['trim', 'free disk space after deleting something in the guest']],
  status: [
    ['status --watch', 'keep updating until you press ^C'],
    ['status --json', 'print JSON, as described by docs/status.schema.json'],
  ],
  list: [['list --json', 'print the builders as JSON']],
  machines: [['machines', 'use the line elsewhere, for example in nix-build --builders "$(...)"']],
  debug: [
    ['debug /nix/store/...-hello.drv', 'open a shell in the build that failed'],
    ['debug /nix/store/...-hello.drv -- make check', 'run one command in its build directory'],
  ],
  'ssh-config': [
    [
      `ssh-config > config && ssh -F config ${instance.sshAlias}`,
      'connect with a config file of your own',
    ],
  ],
  doctor: [
    ['doctor', 'find out what is wrong and how to fix it'],
    ['doctor --fix', 'fix what is safe to fix'],
    ['doctor --report report.txt', 'write a file to attach to a bug report, without secrets'],
  ],
  explain: [
    [
      'explain nixpkgs#legacyPackages.aarch64-linux.hello',
      'find out whether this package would be built here',
    ],
    ['explain ./default.nix', 'the same for a file'],
  ],
  console: [['console -f', 'follow what the guest prints']],
  logs: [['logs -f', 'follow what the daemon does']],
  ssh: [
    ['ssh', 'open a shell in the guest'],
    ['ssh --root -- df -h /nix', 'run a command in the guest as root'],
  ],
  verdicts: [
    ['verdicts', 'show which accelerator or network is not used, and why'],
    ['verdicts --clear', 'try again after the cause has been fixed'],
  ],
  'boot-report': [['boot-report --html starts.html', 'draw a chart of the last starts']],
  completion: [['completion zsh > ~/.zfunc/_linuxkit-builder', 'install the completion for zsh']],
  man: [['man > linuxkit-builder.1', 'write the manual page to a file']],
  daemon: [['daemon', 'run by launchd and systemd']],
};

/** The lines below a command's help. */
export function exampleHelp(program: string, command: string): string {
  const lines = (examples[command] ?? []).map(
    ([words, what]) => `  $ ${program} ${words}\n      ${what}`,
  );
  return lines.length === 0 ? '' : `\nExamples:\n${lines.join('\n')}`;
}

/** What the exit codes mean (sysexits(3)), of all commands. */
export const exitCodes: readonly (readonly [number, string])[] = [
  [0, 'success'],
  [
    1,
    'the answer is no: doctor found a problem, or explain found that the build would not run here',
  ],
  [64, 'wrong command line or setting'],
  [65, 'a file does not have the expected content'],
  [66, 'a file does not exist'],
  [69, 'something is unavailable: the daemon, a program or the network'],
  [70, 'a bug in linuxkit-builder'],
  [71, 'the operating system refused something'],
  [73, 'a file cannot be created'],
  [74, 'reading or writing failed'],
  [75, 'temporary failure: try again'],
  [77, 'permission denied'],
  [78, 'the configuration is wrong or missing'],
  [interruptedExit, 'interrupted'],
];
