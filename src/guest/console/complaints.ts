/** What a guest says on the console when something is wrong and it lives on: mostly its kernel. Pure. */

/** `read-only`: the data disk's file system had an error, and takes no more writes. `restarted`: a service ended, and was begun anew. */
export type Complaint = 'oops' | 'stall' | 'out-of-memory' | 'read-only' | 'restarted';

/** The service that a note says was begun anew, in words. */
export function restartedIn(note: string): string | undefined {
  const [, service] = /^restarted-(.+)$/.exec(note) ?? [];
  return service === undefined
    ? undefined
    : `its service ${service} exited and was restarted a second later`;
}

/** Words of Linux 6: kernel/rcu/tree_stall.h, kernel/watchdog.c, kernel/hung_task.c, mm/oom_kill.c, fs/ext4/super.c, arch/… */
const words: readonly (readonly [Complaint, RegExp])[] = [
  ['read-only', /^EXT4-fs (?:error )?\(vda\): .*[Rr]emounting filesystem read-only/],
  ['out-of-memory', /^(?:Memory cgroup out of memory|Out of memory(?: \([^)]*\))?): Kill/],
  ['stall', /^watchdog: BUG: soft lockup|^watchdog: .*hard LOCKUP/],
  ['stall', /^rcu: INFO: rcu_\w+ (?:self-)?detected (?:expedited )?stall/],
  ['stall', /^INFO: task .+ blocked for more than \d+ seconds/],
  ['oops', /^Oops:|^Internal error: Oops|^BUG: (?!soft lockup)|^general protection fault/],
  ['oops', /^(?:kernel BUG at |Unable to handle kernel )/],
];

/** What a line complains of; its words, without what printk puts before them. */
export function complaintIn(
  line: string,
): { readonly what: Complaint; readonly text: string } | undefined {
  if (!stamp.test(line)) return undefined;
  const text = line.replace(stamp, '').trim();
  const found = words.find(([, pattern]) => pattern.test(text));
  return found && { what: found[0], text };
}

/** A serial console's carriage return; printk's level, time stamp and caller. Only a kernel stamps its lines. */
const stamp = /^[\r ]*(?:<\d+>)?\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? /;
