/** Launching a child of a start: its output followed, and what others find it by kept. */
import type { Layout } from '../../config/layout.ts';
import type { PidFiles } from '../../system/files/pidfile.ts';
import type { Log } from '../../system/log.ts';
import { launch, type Child, type ExitStatus, type Launch } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Event } from '../lifecycle/state.ts';
import type { Running } from '../running.ts';
import type { StartFacts } from '../start/start-facts.ts';
import { discardSocket, keeper } from '../stop/upkeep.ts';
import { followOutput, type ChildOutput, type FollowOptions } from './child-output.ts';

/** What launching needs beside the start itself. */
export interface ChildContext {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
}

/** The start that they are of. */
export interface OfStart {
  readonly running: Running;
  readonly signal: AbortSignal;
  readonly facts: Pick<StartFacts, 'note'>;
  readonly guest: {
    /** The console's last lines. */
    lastLines(count: number): readonly string[];
    /** Reads what a VM that has ended wrote last. */
    readConsole(): void;
  };
  readonly tell: (event: Event) => void;
}

/** One child, before it has begun. */
interface ChildPlan extends Pick<FollowOptions, 'isNoise' | 'onLine'> {
  /** Whose words they are, in our log. */
  readonly name: string;
  readonly plan: Launch;
  readonly files: Parameters<typeof launch>[1];
  readonly pid: PidFiles;
  /** Files that it makes, and that one before it may have left. */
  readonly sockets: readonly string[];
}

/** A child that has begun. */
interface Followed {
  readonly child: Child;
  readonly output: ChildOutput;
  /** Gives its record and sockets their names again. */
  readonly keep: () => void;
}

/** Where it does not begin, nobody follows its output any longer. */
export async function launchFollowed(
  { name, plan, files, pid, sockets, ...heard }: ChildPlan,
  { clock, log }: Pick<ChildContext, 'clock' | 'log'>,
): Promise<Followed | Extract<ExitStatus, { kind: 'not-started' }>> {
  for (const path of sockets) discardSocket(path);
  const output = followOutput(files.output, name, { clock, log, ...heard });
  let begun: Followed | undefined;
  try {
    const child = await launch(plan, files, clock);
    if ('kind' in child) return child;
    begun = { child, output, keep: keeper(pid, child.pid, { plan, sockets }) };
    return begun;
  } finally {
    if (begun === undefined) await output.close();
  }
}
