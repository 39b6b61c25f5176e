/** What the daemon says of its phases, of a lost guest, and of a start. */
import { obstacles } from '../../src/supervisor/idle/suspend-obstacle.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { guestPanicked } from '../../src/domain/guest-panicked.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { afterLoss, defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import { doorReasons, startReasons } from '../../src/supervisor/lifecycle/own-reasons.ts';
import { sentenceOf } from '../../src/supervisor/lifecycle/sentences.ts';
import type { Because, PauseReason, Rest, State } from '../../src/supervisor/lifecycle/state.ts';
import { startCancelled } from '../../src/supervisor/health/until-booted.ts';
import {
  bootTimedOut,
  configInvalid,
  directoryLost,
  guestFrozen,
  guestReadOnly,
  guestRebooted,
  networkExited,
  noSettings,
  vmExited,
  vmKilled,
} from '../../src/supervisor/health/child-failures.ts';
import { describeSlow } from '../../src/supervisor/health/login.ts';
import { imageLesson } from '../../src/supervisor/start/image-choice.ts';
import { refuseOld } from '../../src/supervisor/start/image-floor.ts';
import { judgeNix } from '../../src/supervisor/start/guest-nix.ts';
import { namedHint } from '../../src/supervisor/start/boot-files.ts';
import { insteadOf } from '../../src/supervisor/start/chosen-vm.ts';
import { vmWouldRefuse } from '../../src/supervisor/start/prepare-start.ts';
import type { Config } from '../../src/config/config.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { lockHeld } from '../../src/system/lock/flock.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { directoryShownAs, type States } from './tell.ts';

const tree = directoryShownAs('/disk');
const lost = guestRebooted([]);
const at = { since: 0, attempt: 1 };
const rest = (why: Rest) => sentenceOf({ phase: 'suspending', since: 0, attempt: 1, why });
const stopping = (because: Because) =>
  sentenceOf({ phase: 'stopping', since: 0, attempt: 1, because });
const paused = (why: PauseReason) => sentenceOf({ phase: 'paused', ...at, why } as State);
const problem = { path: 'cpus', value: 0, message: 'must be at least 1', hint: '' };

export const phases: States = {
  stopped: () => sentenceOf({ phase: 'stopped', since: 0 }),
  starting: () => sentenceOf({ phase: 'starting', ...at }),
  'starting, for the third time': () => sentenceOf({ phase: 'starting', since: 0, attempt: 3 }),
  booting: () => sentenceOf({ phase: 'booting', ...at, stage: undefined }),
  'booting, at a stage': () => sentenceOf({ phase: 'booting', ...at, stage: 'sshd' }),
  ready: () => sentenceOf({ phase: 'ready', ...at }),
  resuming: () => sentenceOf({ phase: 'resuming', ...at }),
  'paused: the disk is full': () => paused('disk-full'),
  'paused: no inodes': () => paused('disk-inodes'),
  'paused: a quota': () => paused('disk-quota'),
  'paused: not known': () => paused('unknown'),
  'suspending: unused': () => rest({ type: 'unused', forMs: 600_000 }),
  'suspending: unused for seconds': () => rest({ type: 'unused', forMs: 90_000 }),
  'suspending: on battery': () => rest({ type: 'battery' }),
  'suspending: little memory': () => rest({ type: 'memory' }),
  'suspending: requested': () => rest({ type: 'asked' }),
  'away: stopped': () => sentenceOf({ phase: 'away', since: 0, why: { type: 'not-needed-yet' } }),
  'away: stopped, and could have been suspended': () => {
    const instead = `${obstacles.changes} (memoryMiB: 512 to 1024)`;
    return sentenceOf({ phase: 'away', since: 0, why: { type: 'asked' }, instead });
  },
  'away: suspended': () => {
    const saved = { bytes: 1, at: '2026-01-01T00:00:00.000Z' };
    return sentenceOf({ phase: 'away', since: 0, why: { type: 'asked' }, saved });
  },
  'stopping: requested': () => stopping({ type: 'asked' }),
  'stopping: to restart': () => stopping({ type: 'restart', why: startReasons.settings }),
  'stopping: not needed': () => stopping({ type: 'rest', why: { type: 'battery' } }),
  'stopping: not resumed': () => stopping({ type: 'unfit', failure: lost }),
  'stopping: lost': () => stopping({ type: 'lost', failure: lost }),
  'stopping: the directory is gone': () =>
    stopping({ type: 'evicted', failure: directoryLost('/builder') }),
  'backing off': () => sentenceOf({ phase: 'backing-off', ...at, because: lost, until: 0 }),
  failed: () =>
    sentenceOf({ phase: 'failed', ...at, because: configInvalid([problem]) }, [problem]),
  'failed: builds are refused': () =>
    sentenceOf({ phase: 'failed', ...at, because: lost, until: 0 }),
  'failed: after several attempts': () => {
    const end = afterLoss(lost, 5, defaultPolicy);
    return end.type === 'give-up' ? end.failure : undefined;
  },
  'failed: after many attempts': () => {
    const end = afterLoss(lost, 7, defaultPolicy);
    return end.type === 'give-up' ? end.failure : undefined;
  },
};

export const reasons: States = {
  'the guest is restarted': () => Object.values(startReasons),
  'the front door lets nobody in': () => Object.values(doorReasons),
};

const exited = (code: number) => ({ kind: 'exited', code }) as const;

export const losses: States = {
  'the VM process exits': () => vmExited('qemu-system-x86_64', exited(1), undefined, []),
  'the VM process exits, and says why': () =>
    vmExited('qemu-system-x86_64', { kind: 'signalled', signal: 'SIGABRT' }, 'guest-shutdown', []),
  'the VM program cannot be started': () =>
    vmExited('vfkit', { kind: 'not-started', reason: 'ENOENT' }, undefined, []),
  'another VM process is there': () =>
    vmExited('qemu-system-x86_64', exited(lockHeld), undefined, []),
  'the VM process is killed: no memory': () => vmKilled('qemu-system-x86_64', true, []),
  'the VM process is killed: by somebody': () => vmKilled('qemu-system-x86_64', false, []),
  'the VM process is killed: not known why': () => vmKilled('hyperkit', undefined, []),
  'the network program exits': () => networkExited('gvproxy', exited(1), []),
  'the network program exits, and says something': () =>
    networkExited('gvproxy', exited(0), ['address in use']),
  'another network process is there': () => networkExited('gvproxy', exited(lockHeld), []),
  'the kernel panics': () =>
    guestPanicked('Kernel panic - not syncing: Attempted to kill init', []),
  'the guest reboots': () => lost,
  'the disk becomes read-only': () =>
    guestReadOnly('EXT4-fs (vda): Remounting filesystem read-only', []),
  'the boot takes too long': () => bootTimedOut(180, 'sshd', []),
  'the boot takes too long, and a login fails': () =>
    bootTimedOut(
      180,
      { detail: 'no answer within 15 s', hint: 'See: linuxkit-builder console' },
      [],
    ),
  'the guest is frozen': () => guestFrozen([]),
  'config.json is wrong': () => configInvalid([problem]),
  'config.json is wrong twice': () => configInvalid([problem, problem]),
  'config.json is no JSON': () => configInvalid([{ ...problem, path: 'config.json' }]),
  'nothing is set up': () =>
    noSettings({ root: '/builder' }, { config: undefined, problems: [], isMissing: true }),
  'the directory is gone': () => directoryLost('/builder'),
  'the start is cancelled': () => startCancelled,
};

export const slow: States = {
  'no login was tried': () => describeSlow(undefined),
  'a login works': () => describeSlow({ works: true }),
  'a login fails': () =>
    describeSlow({
      works: false,
      detail: 'no answer within 15 s',
      hint: 'See: linuxkit-builder console',
    }),
};

const because: Failure = {
  kind: 'x',
  message: 'It panicked.',
  hint: '',
  exit: Exit.unavailable,
  blames: 'image',
};

export const starts: States = {
  'a new image fails': () => {
    const images = { newest: 'new', good: 'old', rejected: undefined };
    const image = { prefix: '/builder/image/builder', images };
    return imageLesson(because, image, '2026-01-01T00:00:00.000Z').failure;
  },
  'the image is too old': () =>
    refuseOld(
      { version: '20260912T075541Z', why: 'its Nix 2.34.4 is older than 2.34.5 (CVE-2026-39860)' },
      { acceptOldImage: '' } as Config,
    ),
  "the guest's own Nix is too old": () => {
    const layout = layoutOf(tree);
    const world = { layout, clock: new FakeClock(), log: () => undefined };
    return judgeNix('2.28.0', { prefix: '/mine' }, world).image?.old?.why;
  },
  'another program is better': () => insteadOf(vmDrivers.qemu, vmDrivers.vfkit),
  'the program would refuse': () => vmWouldRefuse('qemu-system-x86_64', [problem]),
  'the image that config.json names is broken': () => namedHint('/mine/guest'),
};
