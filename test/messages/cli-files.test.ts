import { ownSettings, unreadable, waitingForNix } from '../../src/cli/explain/explain.ts';
import {
  describeBuilt,
  infoLines,
  newsWords,
  nextStartWords,
  noArchive,
  verifiedWords,
  waitingForFetch,
} from '../../src/cli/image/image-words.ts';
import { clearedWords, verdictLines } from '../../src/cli/inspect/verdicts-command.ts';
import { underSudo } from '../../src/cli/setup/configure-command.ts';
import { directoryNotNamed } from '../../src/cli/setup/unconfigure-command.ts';
import { keysDeclared, keysInUse } from '../../src/cli/setup/keys-command.ts';
import type { CommandResult } from '../../src/system/process/child.ts';
import type { Manifest } from '../../src/vm/boot-image.ts';
import { linesOf } from './command-rig.ts';
import { tells } from './tell.ts';

const at = '2026-01-02T03:04:05.000Z';
const file = { size: 8 * 1024 ** 2, sha256: 'a'.repeat(64) };
// One cast: what the words take of it.
const manifest = {
  arch: 'amd64',
  kernelVersion: '6.12',
  suite: 'trixie',
  indexDate: at,
  squashfs: { tool: 'mksquashfs', version: '4.6' },
  packages: { bash: '5', nix: '2' },
  suites: [
    { codename: 'trixie', indexDate: at },
    { codename: 'trixie-security', indexDate: at, expired: at },
  ],
  files: { kernel: file, initrd: file, cmdline: file },
} as unknown as Manifest;
const news = { newer: 0, securityDate: at, lookedAt: at };
const ended = (how: CommandResult['ended']): CommandResult => ({
  ended: how,
  stdout: '',
  stderr: '',
});
const works = { at, works: true } as const;
const fails = { at, works: false, why: 'It is not signed.', remedy: 'Install another.' } as const;

tells('cli-files', {
  'image build': {
    'another one is at work': () => waitingForFetch,
    'it was built': () => describeBuilt('/image', { manifest, fresh: true }),
    'it was built before': () => describeBuilt('/image', { manifest, fresh: false }),
    'and the guest': () => [
      nextStartWords(undefined),
      nextStartWords({ message: 'The kernel panicked.' }),
    ],
  },
  'image update --check': {
    'nothing is newer': () => newsWords(news as never),
    'something is': () => [
      newsWords({ ...news, newer: 1 } as never),
      newsWords({ ...news, newer: 2 } as never),
    ],
    'there is no such archive': () => noArchive,
  },
  'image info and verify': {
    'an image of ours': () => [...infoLines('/image', manifest), verifiedWords('/image', true)],
    'another one': () => [...infoLines('/image', undefined), verifiedWords('/image', false)],
  },
  explain: {
    'Nix takes long': () => waitingForNix(['nix-instantiate', 'default.nix']),
    'Nix does not know what it is': () =>
      unreadable('nixpkgs#helo', ended({ kind: 'exited', code: 1 })),
    'Nix has crashed': () =>
      unreadable(ownSettings, ended({ kind: 'signalled', signal: 'SIGSEGV' })),
  },
  'logs and console': {
    'nothing has been started': () => linesOf(['logs']),
    'a number of lines that is none': () => linesOf(['console', '-n', 'all']),
  },
  'boot-report': {
    'a number of starts that is none': () => linesOf(['boot-report', '-n', '0']),
  },
  'machines and ssh-config': {
    'configure has not run': () => linesOf(['machines']),
  },
  verdicts: {
    'nothing was tried': () => linesOf(['verdicts']),
    'until when each is valid': () => [
      ...verdictLines({ ...works, subject: 'accelerator', way: 'hvf', holdsUntil: 'host-boot' }),
      ...verdictLines({ ...fails, subject: 'vm', way: 'vfkit', holdsUntil: 'host-boot' }),
      ...verdictLines({ ...fails, subject: 'image', way: 'newest', holdsUntil: 'image-build' }),
      ...verdictLines({ ...works, subject: 'suspend', way: 'file', holdsUntil: 'vm-build' }),
      ...verdictLines({ ...fails, subject: 'suspend', way: 'file', holdsUntil: 'day' }),
    ],
    '--clear': () => [
      clearedWords([]),
      clearedWords([{ ...fails, subject: 'vm', way: 'vfkit', holdsUntil: 'host-boot' }]),
    ],
  },
  configure: {
    'under sudo': () => underSudo('anna', 'sudo'),
    'under doas': () => underSudo('anna', 'doas'),
  },
  unconfigure: { '--purge of a directory that was not named': () => directoryNotNamed('/builder') },
  keys: {
    'renew, while they are in use': () => keysInUse,
    'renew, where a module declares the builder': () =>
      keysDeclared(
        {
          owner: { name: 'linuxkit', uid: 400, directory: '/var/lib/linuxkit-builder' },
          declared: { by: 'NixOS', restart: 'sudo systemctl restart linuxkit-builder' },
          replaced: {},
          receipts: [],
        },
        '/etc/nix/linuxkit-builder/client_ed25519',
      ),
  },
});
