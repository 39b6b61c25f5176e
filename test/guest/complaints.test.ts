import { expect, test } from 'vitest';
import { complaintIn } from '../../src/guest/console/complaints.ts';

// Behaviour 83: `status` shows trouble that the guest's kernel reports on the console, such as an oops, a stall or a
// lack of memory. If the guest's disk becomes read-only, the guest is restarted, which repairs the file system on the
// disk.
test.each([
  ['EXT4-fs (vda): Remounting filesystem read-only', 'read-only'],
  ['Out of memory: Killed process 812 (cc1plus) total-vm:1234kB, anon-rss:1kB', 'out-of-memory'],
  ['Memory cgroup out of memory: Killed process 5 (a b) total-vm:1kB', 'out-of-memory'],
  ['watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [cc1:77]', 'stall'],
  ['rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:', 'stall'],
  ['rcu: INFO: rcu_preempt self-detected stall on CPU', 'stall'],
  ['INFO: task kworker/u4:1:29 blocked for more than 120 seconds.', 'stall'],
  ['Oops: 0002 [#1] PREEMPT SMP NOPTI', 'oops'],
  ['Oops: int3: 0000 [#1] PREEMPT SMP', 'oops'],
  ['BUG: kernel NULL pointer dereference, address: 0000000000000008', 'oops'],
  ['Internal error: Oops: 0000000096000004 [#1] SMP', 'oops'],
  ['Unable to handle kernel paging request at virtual address dead000000000108', 'oops'],
])('%j is a complaint', (text, what) => {
  expect(complaintIn(`\r[   12.345678] ${text}\r`)).toEqual({ what, text });
  expect(complaintIn(`<3>[   12.345678][   T1] ${text}`)).toEqual({ what, text });
});

test.each([
  '',
  '[    1.000000] EXT4-fs (vda): mounted filesystem 1234 r/w with ordered data mode',
  '[    1.000000] EXT4-fs (loop0): Remounting filesystem read-only',
  '[    1.000000] linuxkit-builder: stage=sshd uptime=4.81',
  'make: *** Oops: nobody knows',
  'sshd: Out of memory: Killed',
])('%j is none', (line) => expect(complaintIn(line)).toBeUndefined());
