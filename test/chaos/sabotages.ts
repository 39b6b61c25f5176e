/**
 * Faults that chaos must find: lines of our source, each with what stands there in a sabotaged copy, and the round that shows it.
 * The product knows nothing of this.
 */
import type { Round } from './plan.ts';
import type { Check } from './tally.ts';

export interface Change {
  /** Below src/. */
  readonly file: string;
  /** Stands there once. */
  readonly from: string;
  readonly to: string;
}

export interface Sabotage {
  readonly changes: readonly [Change, ...Change[]];
  readonly round: Omit<Round, 'number'>;
  /** What the round must find violated. */
  readonly found: Check;
}

const quiet = { network: 'user', afterMs: 0, reusedPid: false } as const;
const kill = { kind: 'kill' } as const;

export const sabotages = {
  /** Kernel locks are opened, and not taken. */
  'no-lock': {
    changes: [
      {
        file: 'system/lock.ts',
        from: "spawnSync('flock', ['-n', '-x', '3']",
        to: "spawnSync('true', []",
      },
    ],
    round: {
      ...quiet,
      ...{ phase: 'ready', target: 'daemon', deed: { kind: 'freeze', ms: 1_000 } },
    },
    found: 'one-daemon',
  },
  /** The VM inherits the daemon's lock. */
  'child-descriptor-kept': {
    changes: [
      {
        file: 'system/lock.ts',
        from: 'return { release: () => closeSync(fd)',
        to: "if (path.endsWith('daemon.lock')) Object.assign(globalThis, { kept: [fd] }); return { release: () => closeSync(fd)",
      },
      {
        file: 'system/child.ts',
        from: "stdio: ['ignore', fd, fd, ...extra]",
        to: "stdio: ['ignore', fd, fd, ...extra, ...((globalThis as { kept?: number[] }).kept ?? [])]",
      },
    ],
    round: { ...quiet, phase: 'ready', target: 'daemon', deed: kill },
    found: 'next-start',
  },
  /** ext4 allocates blocks when it likes. */
  'default-ext4-mount': {
    changes: [
      {
        file: 'image/rootfs/root/usr/lib/linuxkit-builder/disk',
        from: '-o nodelalloc,noatime',
        to: '-o noatime',
      },
    ],
    round: { ...quiet, phase: 'building', target: 'vm', deed: kill },
    found: 'store',
  },
  /** A stop counts the builds, and does not wait for them. */
  'no-drain': {
    changes: [
      {
        file: 'supervisor/drain.ts',
        from: "if (open === 0) return 'drained';",
        to: "return 'drained';",
      },
    ],
    round: { ...quiet, phase: 'starting', target: 'vm', deed: kill },
    found: 'drain',
  },
  /** A process with the right number is taken for ours. */
  'stale-pid-trusted': {
    changes: [
      {
        file: 'system/process.ts',
        from: 'now.started === identity.started &&',
        to: 'now.started !== undefined ||',
      },
    ],
    round: { ...quiet, reusedPid: true, phase: 'starting', target: 'daemon', deed: kill },
    found: 'next-start',
  },
} as const satisfies Readonly<Record<string, Sabotage>>;

export type SabotageName = keyof typeof sabotages;

/** A text with one thing in it changed; throws where it does not stand there exactly once. */
export function changed(text: string, { file, from, to }: Change): string {
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0)
    throw new Error(`src/${file} does not have exactly once: ${from}`);
  return `${before}${to}${after}`;
}
