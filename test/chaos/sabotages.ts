/**
 * Faults that chaos must find: lines of our source, each with what stands there in a sabotaged copy, and the round that shows it.
 * The product knows nothing of this.
 */
import type { Plan } from './plan.ts';
import { counts, type Check, type Outcome } from './tally.ts';

export interface Change {
  /** Below src/. */
  readonly file: string;
  /** Stands there once. */
  readonly from: string;
  readonly to: string;
}

export interface Sabotage {
  readonly changes: readonly [Change, ...Change[]];
  readonly round: Plan;
  /** What the round must find violated, and the words for what this fault does: others may violate the same. */
  readonly found: { readonly check: Check; readonly says: RegExp };
}

const quiet = { vm: 'qemu', network: 'user', afterMs: 0, reusedPid: false } as const;

export const sabotages = {
  /** Kernel locks are opened, and not taken. */
  'no-lock': {
    changes: [
      {
        file: 'system/lock/flock.ts',
        from: "spawnSync(findProgram('flock'), argv, {",
        to: "spawnSync('true', [], {",
      },
    ],
    round: {
      ...quiet,
      phase: 'ready',
      target: 'vm',
      freeze: { whom: 'daemon', ms: 1_000 },
    },
    found: { check: 'one-daemon', says: /a second daemon started/ },
  },
  /** The VM inherits the daemon's lock. */
  'child-descriptor-kept': {
    changes: [
      {
        file: 'system/lock/lock.ts',
        from: 'return { release: () => closeSync(fd)',
        to: "if (path.endsWith('daemon.lock')) Object.assign(globalThis, { kept: [fd] }); return { release: () => closeSync(fd)",
      },
      {
        file: 'system/process/session.ts',
        from: "stdio: ['ignore', fd, fd, ...extra]",
        to: "stdio: ['ignore', fd, fd, ...extra, ...((globalThis as { kept?: number[] }).kept ?? [])]",
      },
    ],
    round: { ...quiet, phase: 'ready', target: 'daemon' },
    found: { check: 'next-start', says: /daemon\.lock is locked/ },
  },
  /** ext4 allocates blocks when it likes, and the kernel lets it for half a minute. */
  'default-ext4-mount': {
    changes: [
      {
        file: 'image/rootfs/root/usr/lib/linuxkit-builder/disk',
        from: '-o nodelalloc,noatime',
        to: '-o noatime',
      },
      {
        file: 'image/rootfs/root/usr/lib/linuxkit-builder/disk',
        from: 'echo 100 >/proc/sys/vm/dirty_expire_centisecs',
        to: 'echo 3000 >/proc/sys/vm/dirty_expire_centisecs',
      },
    ],
    round: { ...quiet, phase: 'building', target: 'vm' },
    found: { check: 'store', says: /path '.*-part-1' was modified!/ },
  },
  /** A stop counts the builds, and does not wait for them. */
  'no-drain': {
    changes: [
      {
        file: 'client/drain.ts',
        from: "if (found?.loggedIn === 0 && found.entering === 0) return 'drained';",
        to: "return 'drained';",
      },
    ],
    round: { ...quiet, phase: 'starting', target: 'vm' },
    found: { check: 'drain', says: /the stop waits for the build.*unexpected end-of-file/s },
  },
  /** A process with the right number is taken for ours. */
  'stale-pid-trusted': {
    changes: [
      {
        file: 'system/process/process.ts',
        from: 'now.started === identity.started &&',
        to: 'now.started !== undefined ||',
      },
    ],
    round: { ...quiet, reusedPid: true, phase: 'starting', target: 'daemon' },
    found: { check: 'next-start', says: /The daemon is already running/ },
  },
  /** The network program outlives the VM, and the next VM gets it. */
  'network-kept': {
    changes: [
      {
        file: 'supervisor/stop/stop.ts',
        from: 'if (network !== undefined) await endNetwork(network, context);',
        to: 'if (network !== undefined) Object.assign(globalThis, { kept: network }); void endNetwork;',
      },
      {
        file: 'supervisor/children/network-child.ts',
        from: 'running.network = await beginNetwork(',
        to: 'running.network = (globalThis as { kept?: RunningNetwork }).kept ?? await beginNetwork(',
      },
    ],
    round: { ...quiet, vm: 'vfkit', network: 'gvproxy', phase: 'booting', target: 'vm' },
    found: { check: 'own-network', says: /network process \d+ outlived VM process/ },
  },
  /** What a killed daemon left is not ended, and a VM takes no lock that another program's VM has. */
  'second-vm': {
    changes: [
      {
        file: 'supervisor/stop/leftovers.ts',
        from: 'await endLeftover(vmLeftover(what), clock, signal, log);',
        to: '',
      },
      {
        file: 'system/process/session.ts',
        from: 'String(lockHeld), lock, what.program',
        to: 'String(lockHeld), `${lock}.${process.pid}`, what.program',
      },
    ],
    round: {
      ...quiet,
      phase: 'booting',
      target: 'daemon',
      next: { vm: 'vfkit', network: 'gvproxy' },
    },
    found: { check: 'one-vm', says: /2 VMs had the disk open at once/ },
  },
} as const satisfies Readonly<Record<string, Sabotage>>;

export type SabotageName = keyof typeof sabotages;

/** Whether the round violated what the sabotage violates, for the reason that it gives, and nothing else. */
export const isFoundBy = ({ found }: Sabotage, outcome: Outcome): boolean =>
  counts(outcome) &&
  outcome.violations.length > 0 &&
  outcome.violations.every(({ check, what }) => check === found.check && found.says.test(what));

/** A text with one thing in it changed; throws where it does not stand there exactly once. */
export function changed(text: string, { file, from, to }: Change): string {
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`src/${file} does not have exactly once: ${from}`);
  return `${before}${to}${after}`;
}
