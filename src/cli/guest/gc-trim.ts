/** `gc`, `trim`: what the guest's disk holds and nobody needs goes, and the host has its room again. */
import type { Layout } from '../../config/layout.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { layoutFor, type CliContext, type DirectoryOption } from '../../command/context.ts';
import { saying, startingGuest } from '../../command/announce-slow.ts';
import { livingStatus, wakeIfAway } from './suspend.ts';
import { describeBusy, buildsUnknown } from '../../client/builds-option.ts';
import { advice, ours } from '../../system/advice.ts';
import { traitsOf } from '../../supervisor/lifecycle/phases.ts';
import { waitUntilReady } from '../../client/until-ready.ts';
import { drain } from '../../client/drain.ts';
import { ask, type DoorHeld } from '../../supervisor/daemon/ask-daemon.ts';
import type { Busy } from '../../supervisor/daemon/control-protocol.ts';
import { statsIfThere } from '../../system/stats.ts';

export interface GcOptions extends DirectoryOption {
  readonly timeout: number;
}

/** Collections and trims take as long as the store and the disk are large. */
const workMs = 3_600_000;

/** `gc`: collects garbage in the guest's store, then returns the space. */
export async function runGc(options: GcOptions, context: CliContext): Promise<void> {
  const layout = layoutFor(options, context);
  await wakeGuest(layout, context);
  const before = sizeOf(layout);
  const collected = await whileNobodyIsIn(layout, options, context, (door) =>
    saying(collecting, context, () => askLong(layout, 'gc', context, door)),
  );
  const { isDone, diskBytes = NaN, diskFreeBytes = NaN } = collected;
  const store = `The guest's store now uses ${gibibytes(diskBytes - diskFreeBytes)} GiB`;
  const words = `${store}; its disk uses ${sizeWords(before, sizeOf(layout))}.`;
  if (isDone === true) return context.out(words);
  context.out(words);
  context.err(
    advice`A build arrived, so garbage collection stopped early. To continue: ${ours('gc')}`,
  );
  context.exit(Exit.temporary);
}

/** `trim`: the blocks that the guest's file system has free are holes in this machine's file. */
export async function runTrim(options: DirectoryOption, context: CliContext): Promise<void> {
  const layout = layoutFor(options, context);
  await wakeGuest(layout, context);
  const before = sizeOf(layout);
  const { goesBack } = await saying(returning, context, () => askLong(layout, 'trim', context));
  if (goesBack !== true) throw new Failed(takesNothing);
  context.out(`The guest's disk uses ${sizeWords(before, sizeOf(layout))}.`);
}

/** The guest is ready: one that is away, or comes, is waited for. */
async function wakeGuest(layout: Layout, context: CliContext): Promise<void> {
  const { phase } = await livingStatus(layout, context);
  if (traitsOf(phase).builds === 'on-demand') context.err(startingGuest);
  await wakeIfAway(layout, context);
  const onSentence = (line: string) => context.err(line);
  const ready = await waitUntilReady(layout, { ...context, timeoutMs: readyMs, onSentence });
  if (typeof ready !== 'string') throw new Failed(ready);
}

/** Longer than any start that is going to succeed. */
const readyMs = 300_000;

/** New connections wait meanwhile, those that are through come to their end first. */
async function whileNobodyIsIn<T>(
  layout: Layout,
  { timeout }: GcOptions,
  context: CliContext,
  work: (door?: DoorHeld) => Promise<T>,
): Promise<T> {
  const { clock, signal } = context;
  const waiting = (why: string) => context.err(`${why}; waiting up to ${timeout} s.`);
  const options = {
    clock,
    signal,
    limitMs: timeout * 1000,
    onBusy: (busy: Busy) => waiting(describeBusy(busy)),
    onSilent: () => waiting(buildsUnknown),
  };
  return drain(layout, options, (end, door) => {
    if (end === 'limit') throw new Failed(stillBusy);
    // A collection that has begun holds the door by itself, and lets in whoever waits when it is over.
    return work(door);
  });
}

async function askLong<C extends 'gc' | 'trim'>(
  layout: Layout,
  command: C,
  { clock, signal }: CliContext,
  by?: DoorHeld,
) {
  return ask(layout, command, clock, signal, { timeoutMs: workMs, by });
}

/** Said before a wait. */
export const collecting = 'Collecting garbage in the guest.';
/** Said before a wait. */
export const returning = 'Returning free space to this machine.';

/** Bytes that it takes of the host's disk. */
const sizeOf = ({ disk }: Layout): number => (statsIfThere(disk)?.blocks ?? 0) * 512;

const sizeWords = (before: number, after: number): string =>
  `${gibibytes(after)} GiB of this machine's disk (${gibibytes(before)} GiB before)`;

const gibibytes = (bytes: number): string => (bytes / 1024 ** 3).toFixed(2);

const stillBusy: Failure = {
  kind: 'guest-in-use',
  message: 'Builds, copies or shells are using the guest, so nothing was deleted.',
  hint: advice`Try again later, or first send new builds elsewhere: ${ours('drain', '--wait')}`,
  exit: Exit.temporary,
};

const takesNothing: Failure = {
  kind: 'disk-keeps-blocks',
  message: 'The guest cannot return free disk space to this machine.',
  hint: advice`Its VM program, or the file system of the state directory, does not support that. For details: ${ours('doctor')}`,
  exit: Exit.unavailable,
};
