import type { FileChange } from '../../src/host/file-change.ts';
import type { Service } from '../../src/service/keeper.ts';
import { judgeCaches, type Surroundings } from '../../src/doctor/check-caches.ts';
import { kvmWords, lostRemedy } from '../../src/doctor/check-features.ts';
import { stateVerdict } from '../../src/doctor/check-job.ts';
import { leftJobCheck, leftVerdict, noneLeft, stillRuns } from '../../src/doctor/check-job-left.ts';
import type { CheckVerdict } from '../../src/doctor/check-runner.ts';
import { findingLines } from '../../src/doctor/doctor-command.ts';
import type { DoctorFacts } from '../../src/doctor/facts.ts';
import { judgeDisk } from '../../src/doctor/host/check-disk.ts';
import { listedVerdict } from '../../src/doctor/host/check-state.ts';
import type { SshFault } from '../../src/doctor/ssh/check-ssh-config.ts';
import {
  alsoApplies,
  sendsToGuest,
  blankLine,
  excludeHost,
  loginShell,
  needsRoot,
  nixAnswers,
  noAnswerIn,
  notReachedAs,
  optionsVerdict,
  otherLines,
  printedByShell,
  printedBySsh,
  printsBefore,
  shellCannotRun,
} from '../../src/doctor/ssh/ssh-verdicts.ts';
import { changeOwner, closeFile, removeLine } from '../../src/nix/ssh/refused.ts';
import {
  changedByHand,
  leadsToGuest,
  notAsConfigured,
  notTakenIn,
  ofThePreviousRelease,
  olderStanza,
  sameAsYours,
  whatNixUses,
} from '../../src/doctor/verdicts/file-verdicts.ts';
import {
  bootJobVerdict,
  byHand,
  outOfDate,
  spoiltVerdict,
} from '../../src/doctor/verdicts/job-verdicts.ts';
import { alwaysHardware, emulation, judgeImage } from '../../src/doctor/verdicts/judge-image.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { lackedEmulated } from '../../src/vm/qemu/emulated.ts';
import { tells } from './tell.ts';

const GiB = 1024 ** 3;
const onOldQemu = { config: { system: 'x86_64-linux' }, accelerator: 'tcg' } as const;
const at = '2026-01-02T03:04:05.000Z';
const wordsOf = ({ what, remedy }: Pick<SshFault, 'what' | 'remedy'>) => [what, remedy];
const linesOf = (verdict: CheckVerdict) => findingLines({ name: 'check', ...verdict });

const disk = { bytes: 50 * GiB, inodes: 1e6, usedBytes: 2 * GiB, tooLarge: undefined };
const onDisk = (more: object) =>
  linesOf(judgeDisk('/builder', { ...disk, isExternal: false, exposed: undefined, ...more }));
const image = (more: object) =>
  linesOf(
    judgeImage('/image', {
      manifest: { kernelVersion: '6.12' },
      old: undefined,
      rejected: undefined,
      age: undefined,
      ...more,
    }),
  );
const why = 'Its OpenSSH has a known vulnerability';

const url = 'https://cache.nixos.org';
const caches = (state: 'reached' | 'unnamed' | 'unreached', more: Partial<Surroundings> = {}) =>
  linesOf(
    judgeCaches([{ url, state, ...(state === 'reached' ? {} : { said: 'timeout' }) }], {
      reachedFromHere: [url],
      network: 'user',
      nameServers: ['192.0.2.1'],
      ...more,
    }),
  );

/** Of one file of the job that is not as it should be. */
const changed = (before: 'missing' | 'edited' | 'mode') =>
  ({
    wanted: { path: '/job', mode: 0o644 },
    before:
      before === 'missing' ? undefined : { standing: { mode: before === 'mode' ? 0o666 : 0o644 } },
  }) as unknown as FileChange;

const job = (more: object) => {
  const state = { loaded: true, running: true, ...more };
  const service = {
    name: 'launchd',
    starts: 'login',
    state: () => Promise.resolve(state),
    ...more,
  };
  // One cast each: what is asked of them.
  const facts = { layout: layoutOf('/builder') } as unknown as DoctorFacts;
  return stateVerdict(service as unknown as Service, facts).then(linesOf);
};
const declared = {
  kind: 'systemd',
  by: 'NixOS',
  scope: 'system',
  directory: '/builder',
  path: '/etc/systemd/system/linuxkit-builder.service',
};

const entry = 'user:bob allow list,add_file';

tells('doctor-verdicts', {
  'The disk': {
    'there is room': () => onDisk({}),
    'the room is not known': () => onDisk({ bytes: Infinity }),
    'there is little': () => onDisk({ bytes: GiB }),
    'there are no inodes': () => onDisk({ inodes: 3 }),
    'it is too large for the file system': () =>
      onDisk({ tooLarge: { message: 'It is too large.', hint: 'Choose a smaller one.' } }),
    'it is on another volume': () => onDisk({ isExternal: true }),
  },
  'A directory that an access control list opens': {
    'of the user': () => linesOf(listedVerdict({ path: '/builder', entry }, 'user')),
    'of root': () => linesOf(listedVerdict({ path: '/etc/nix', entry }, 'root')),
  },
  'The image': {
    'all is well': () => image({}),
    'without a manifest': () => image({ manifest: undefined }),
    'too old': () => [
      ...image({ old: { why, isAccepted: false } }),
      ...image({ old: { why, isAccepted: true } }),
    ],
    'the newest was given up': () => image({ rejected: { at, message: 'The kernel panicked.' } }),
  },
  'The accelerator': {
    'none is needed': () => linesOf(alwaysHardware('vfkit')),
    'none works': () =>
      linesOf(emulation(['kvm: /dev/kvm does not exist.'], lackedEmulated(onOldQemu))),
  },
  'Names and caches': {
    'all are reached': () => caches('reached'),
    'the guest asks none': () =>
      linesOf(judgeCaches([], { reachedFromHere: [], network: 'user', nameServers: [] })),
    'the guest finds no name': () => caches('unnamed'),
    'this machine asks a name server that QEMU does not': () =>
      caches('unnamed', { nameServers: ['::1'] }),
    'the guest reaches nothing': () => caches('unreached', { network: 'gvproxy' }),
    'nor does this machine': () => caches('unreached', { reachedFromHere: [] }),
  },
  'The login job': {
    'there is none': () => linesOf(byHand),
    'it is running': () => job({}),
    'it is not': () => job({ running: false }),
    'it is not loaded, by launchd': () => job({ loaded: false }),
    'it is not loaded, by systemd': () => job({ loaded: false, name: 'systemd' }),
    'there is no systemd': () => job({ loaded: false, name: 'systemd', isAbsent: true }),
    'it is declared elsewhere': () => job({ name: 'systemd', declared }),
    'it is declared elsewhere, and not loaded': () =>
      job({ name: 'systemd', declared, loaded: false }),
    'its last run failed': () => job({ running: false, ended: 'with exit code 78' }),
    'its files have been changed': () =>
      linesOf(spoiltVerdict([changed('missing'), changed('edited'), changed('mode')])),
    'one of its files has been changed': () => linesOf(spoiltVerdict([changed('edited')])),
    'something has moved': () => outOfDate([changed('edited')]),
  },
  'The job at boot': {
    'nobody asked for it': () =>
      linesOf(bootJobVerdict('/job', { isWanted: false, isPresent: true })),
    'it is missing': () => linesOf(bootJobVerdict('/job', { isWanted: true, isPresent: false })),
    'something has moved': () =>
      linesOf(bootJobVerdict('/job', { isWanted: true, isPresent: true })),
  },
  'A job of an earlier installation': {
    'there is none any more': () => findingLines({ name: leftJobCheck, ...noneLeft }),
    'it is not wanted': () => linesOf(leftVerdict({ path: '/job', main: '/old/main.js' }, false)),
    'it is wanted': () => linesOf(leftVerdict({ path: '/job', main: '/old/main.js' }, true)),
    'its daemon is still there': () => stillRuns,
  },
  'Files of ssh and Nix': {
    'yours are right': () => linesOf(leadsToGuest),
    'one is not ours to change': () =>
      linesOf(
        changedByHand({
          path: '/home/anna/.ssh/config',
          why: 'is a link into the Nix store',
          text: 'Include /builder/ssh_config',
        }),
      ),
    'an older one': () => linesOf(olderStanza('/builder/ssh_config')),
    'one has been changed': () => linesOf(notAsConfigured(['/builder/ssh_config'])),
    'two have been changed': () => linesOf(notAsConfigured(['/a', '/b'])),
    'ssh does not use it': () =>
      linesOf(notTakenIn('/builder/ssh_config', '/Volumes/Ann Lee/bin/ssh')),
    "root's are out of date": () => whatNixUses(['/etc/nix/linuxkit-builder/ssh_config']),
    "root's are of the previous release": () => linesOf(ofThePreviousRelease),
    "root's are right": () => [...linesOf(sameAsYours('tcp')), ...linesOf(sameAsYours('unix'))],
  },
  'ssh, as Nix calls it': {
    'it works': () => nixAnswers,
    'only root can try': () => needsRoot('sudo ssh nix-linuxkit'),
    'it does not': () => [notReachedAs('user'), notReachedAs('root')],
    'because of NIX_SSHOPTS': () => {
      const options = { value: '-p 2222', where: 'your environment' };
      const { what, remedy } = optionsVerdict('user', options, 'connection refused');
      return [what, remedy];
    },
    'because it does not answer': () => noAnswerIn(30),
    'because something is printed': () => [
      printsBefore(blankLine),
      ...wordsOf(printedBySsh('/usr/bin/ssh')),
      ...wordsOf(printedByShell(loginShell)),
    ],
    'because of SHELL': () => wordsOf(shellCannotRun('/bin/false', 'your environment')),
    'because of other lines': () => [otherLines(['port 22 (~/.ssh/config)']), excludeHost],
    'because of a line that this ssh does not know': () => removeLine,
    'because of a file that others can change': () => closeFile('/home/ann/.ssh/config', true),
    "and one of root's": () => closeFile('/etc/ssh/ssh_config.d/x', false),
    'because of a file of somebody else': () => changeOwner('ann', '/home/ann/.ssh/config'),
    'it works, and sends the guest what it need not know': () =>
      sendsToGuest('user', ['AWS_*', 'GITHUB_TOKEN']),
    'it works, but an option may end builds': () => alsoApplies('ServerAliveInterval', ''),
  },
  'What Nix is told of': {
    'less than the guest can do': () => kvmWords(['benchmark', 'linuxkit-builder']),
    'more than it can do': () => lostRemedy,
  },
});
