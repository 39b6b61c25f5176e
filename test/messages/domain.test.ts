import { knownFaults } from '../../src/domain/known-faults.ts';
import { describeProblem } from '../../src/domain/problem.ts';
import { describeFault } from '../../src/domain/recognise.ts';
import { describeLeft, describeRejection, type Rejection } from '../../src/domain/verdicts.ts';
import { tells } from './tell.ts';

const kvm: Rejection = {
  subject: 'accelerator',
  way: 'kvm',
  basis: '/usr/bin/qemu',
  at: '2026-01-02T03:04:05Z',
  why: 'this user may not open /dev/kvm',
};

const vfkit: Rejection = { ...kvm, subject: 'vm', way: 'vfkit' };

tells('domain', {
  'What was tried and did not work': {
    'in an earlier start': () => describeRejection(kvm),
    'in an earlier start, and the remedy is known': () =>
      describeRejection({ ...kvm, remedy: 'Join the group kvm.' }),
    'just now': () => describeRejection({ ...kvm, at: '' }),
    'a VM program': () => describeRejection({ ...vfkit, why: 'it is not signed' }),
    'a VM program, for a reason that may pass': () =>
      describeRejection({ ...vfkit, why: 'macOS runs too many VMs', passes: true }),
    'a VM program that another one has replaced': () =>
      describeLeft({ vm: 'vfkit', why: 'It is not signed.' }),
    'the same, as an older release has recorded it': () => describeLeft({ vm: 'vfkit' }),
  },
  'What is wrong in the configuration': {
    'a value': () =>
      describeProblem({
        path: 'memoryMiB',
        value: 99_999,
        message: "is above the host's 8192 MiB",
        hint: 'Give the guest less.',
      }),
    'something without a value': () =>
      describeProblem({
        path: 'state directory',
        value: undefined,
        message: 'is too long',
        hint: 'Choose a shorter one.',
      }),
  },
  'Faults that others have reported': Object.fromEntries(
    knownFaults.map((fault) => [fault.id, () => describeFault(fault)]),
  ),
});
