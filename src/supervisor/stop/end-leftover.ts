/** Children of an earlier daemon that died without ending them: found by their lock, judged, and ended in order. */
import { Exit, Failed } from '../../system/failure.ts';
import type { Clock } from '../../system/time/clock.ts';
import { signalGroup } from '../../system/process/child.ts';
import { isLocked } from '../../system/lock/lock.ts';
import { holdersOfRemoved, lockHolders, openersOf } from '../../system/lock/lock-holder.ts';
import type { Log } from '../../system/log.ts';
import { readLive, removePid, type PidFiles } from '../../system/files/pidfile.ts';
import { identify, isAlive, isProgram } from '../../system/process/process.ts';
import { until } from '../../system/time/wait.ts';
import { discardSocket } from './upkeep.ts';

/** Where one would be found, and how it is ended. */
export interface Leftover {
  readonly what: 'vm' | 'network' | 'trial';
  /** Held by the child for its life: busy means that it lives, whoever started it. */
  readonly lock: string;
  readonly pid: PidFiles;
  /** Records of other programs that had its part before: as stale as its own, once nobody is left. */
  readonly otherPids?: readonly PidFiles[];
  /** Base name of the program that we would have started; a holder that runs anything else is not touched. */
  readonly program: string;
  /** Others of ours that may hold the same lock. */
  readonly orPrograms?: readonly string[];
  /** Files that no other program of these has open. */
  readonly opens?: readonly string[];
  /** How long SIGTERM is worth waiting; default 5 s. */
  readonly graceMs?: number;
  /** Sockets and files that are stale once it is gone. */
  readonly stale: readonly string[];
  /** Asks it to end in order; may fail. `pid`: the process, where it is known and runs one of our programs. */
  readonly askToEnd: (signal: AbortSignal, pid: number | undefined) => Promise<void>;
}

/**
 * Time for the guest to shut down in order, then for the program itself, in ms. Of a holder without a record the record was
 * deleted: if its daemon lives it notices that within 5 s, and ends it in order.
 */
const timeouts = {
  unrecorded: 12_000,
  asked: 16_000,
  askEvery: 2_000,
  terminated: 5_000,
  killed: 5_000,
};

/** Ends what is left, gracefully first, and clears its traces. Failed `leftover-stays` when something keeps the lock. */
export async function endLeftover(
  left: Leftover,
  clock: Clock,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  for (let found = await whoIsLeft(left); found !== undefined; found = await whoIsLeft(left))
    await endHolder(left, found, { clock, signal, log });
  for (const files of [left.pid, ...(left.otherPids ?? [])]) removePid(files);
  for (const path of left.stale) discardSocket(path);
}

/** Whether any is left that {@link endLeftover} would end. */
export const isLeft = async (left: Leftover): Promise<boolean> =>
  (await whoIsLeft(left)) !== undefined;

interface Holder {
  /** Undefined where the system does not tell who it is. */
  readonly pid: number | undefined;
  readonly isRecorded: boolean;
  /** Its lock is not under its name: nobody's trying tells when it is free. */
  readonly isStray: boolean;
}

interface Ending {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Log;
}

async function endHolder(
  left: Leftover,
  { pid, isRecorded, isStray }: Holder,
  { clock, signal, log }: Ending,
): Promise<void> {
  const holder = pid === undefined ? undefined : identify(pid);
  log('warn', 'leftover-found', { what: left.what, pid, program: holder?.program });
  const isGone = () => (isStray ? holder === undefined || !isAlive(holder) : !isLocked(left.lock));
  const free = (timeoutMs: number) => until(isGone, { clock, signal, everyMs: 50, timeoutMs });
  const silentMs = isRecorded ? 0 : timeouts.unrecorded;
  const isOurs = holder !== undefined && (isRecorded || runsOurs(left, holder.program));
  const asked = isOurs ? pid : undefined;
  if (await endsWhenAsked(left, { clock, signal, free, silentMs, asked }))
    return log('info', 'leftover-ended', { what: left.what, by: 'asking' });
  const by = pid === undefined || !isOurs ? undefined : await endBySignals(pid, left, free);
  if (by === undefined) throw new Failed(leftoverStays(left, pid, holder?.program));
  log('info', 'leftover-ended', { what: left.what, by });
}

const runsOurs = (
  { program, orPrograms = [] }: Pick<Leftover, 'program' | 'orPrograms'>,
  runs: string,
): boolean => [program, ...orPrograms].some((name) => isProgram(runs, name));

/** By which; undefined where it stays. */
async function endBySignals(
  pid: number,
  { graceMs = timeouts.terminated }: Leftover,
  free: Asking['free'],
): Promise<NodeJS.Signals | undefined> {
  for (const [name, ms] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', timeouts.killed],
  ] as const) {
    signalGroup(pid, name);
    if ((await free(ms)) === 'held') return name;
  }
  return undefined;
}

/**
 * The process that is left, and whether it is the recorded one; undefined when there is none. A pid that is given anew can have the start
 * tick of the one before, and the program too: so the record alone is believed only where the system does not tell who holds the lock.
 */
async function whoIsLeft(left: Leftover): Promise<Holder | undefined> {
  const recorded = readLive(left.pid)?.pid;
  if (!isLocked(left.lock)) {
    const stray = await strayOf(left);
    if (stray === undefined) return undefined;
    return { pid: stray, isRecorded: stray === recorded, isStray: true };
  }
  const holders = await lockHolders(left.lock);
  const isRecorded = recorded !== undefined && (holders.length === 0 || holders.includes(recorded));
  return { pid: isRecorded ? recorded : holders[0], isRecorded, isStray: false };
}

/**
 * Whose lock is under its name no more, since a cleaner took the file: who has it open still, or where the system tells no more (macOS)
 * runs one of our programs on what nobody else opens.
 */
async function strayOf({ lock, opens, ...left }: Leftover): Promise<number | undefined> {
  const ours = [left.program, ...(left.orPrograms ?? [])];
  const [holder] = holdersOfRemoved(lock, ours);
  return (
    holder ??
    (await openersOf(opens ?? [])).find((pid) => {
      const program = identify(pid)?.program;
      return program !== undefined && runsOurs(left, program);
    })
  );
}

interface Asking {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Waits so long at most for its lock to be free. */
  readonly free: (timeoutMs: number) => Promise<'held' | 'timed-out' | 'ended'>;
  /** How long it is waited for when it cannot be asked: a wrapper that has not become the program yet is let go on. */
  readonly silentMs: number;
  /** Who is asked. */
  readonly asked: number | undefined;
}

/** A guest that has hardly begun does not hear its button, so it is asked again. */
async function endsWhenAsked(
  left: Leftover,
  { clock, signal, free, silentMs, asked }: Asking,
): Promise<boolean> {
  const begun = clock.monotonic();
  let heard = false;
  do {
    heard = await left.askToEnd(signal, asked).then(
      () => true,
      () => heard,
    );
    if ((await free(heard ? timeouts.askEvery : silentMs)) === 'held') return true;
  } while (heard && clock.monotonic() - begun < timeouts.asked);
  return false;
}

/** It holds our lock, and runs another program than ours. */
export const leftoverStays = (
  left: Pick<Leftover, 'lock'>,
  pid: number | undefined,
  program: string | undefined,
) => ({
  kind: 'leftover-stays',
  message: `${left.lock} is held by ${pid === undefined ? 'an unidentified process' : `process ${pid} (${program ?? 'unknown'})`}, which could not be stopped or is not the builder's.`,
  hint: 'If it is a VM of this builder, stop it. Otherwise choose another state directory.',
  exit: Exit.temporary,
});
