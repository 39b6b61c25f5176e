/** A start of a guest that is away as a file: whether it goes on from there, and how. */
import type { Socket } from 'node:net';
import { changesForGuest, describeChange } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { greetedBy } from '../../door/guest-connection.ts';
import { wakeGuest } from '../../guest/agent/freezer.ts';
import { probeGuest } from '../../guest/login/probe.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { inMarks } from '../../system/plain-text.ts';
import { Exit, Failed, failureOf, type Failure } from '../../system/failure.ts';
import { asSentence } from '../../system/advice.ts';
import type { Log } from '../../system/log.ts';
import type { VmControl } from '../../vm/vm-driver.ts';
import type { GuestNames } from '../health/guest-names.ts';
import { loginTimeoutMs } from '../health/login.ts';
import { differenceIn, type GuestIdentity } from '../suspend/guest-identity.ts';
import {
  discardSaved,
  forgetMemory,
  takeSaved,
  type SavedGuest,
  type Taken,
  type Unresumed,
} from './saved-guest.ts';
import type { StartFacts } from '../start/start-facts.ts';

/** What a guest that boots or goes on now could be saved with. */
interface Keeping {
  readonly identity: GuestIdentity;
  /** As {@link trialBasis} has it. */
  readonly basis: string;
  /** Wall time, ISO 8601. */
  readonly bootedAt: string;
  readonly resumes: number;
  /** Of those who could log in when it booted, as {@link keysVersion} has it. */
  readonly keys: string;
}

/** The guest of a start, from its plan on. */
export interface PlannedGuest {
  /** What it could be saved with. */
  readonly keeping: Keeping;
  /** The file from which it goes on; else it boots. */
  readonly resumed: SavedGuest | undefined;
  /** Whom it asks for names. */
  readonly names: GuestNames;
  /** Of the keys that it has. One that goes on has those that it was told of last, and is told anew. */
  keys: string | undefined;
  wasReady: boolean;
}

interface Taking {
  readonly afresh: boolean;
  /** What an earlier start has taken, and told nobody of. */
  readonly unresumed?: Unresumed | undefined;
}

/** To be called before anything of a start touches the disk: whatever was saved is consumed. */
export function takeGuest(layout: Layout, { afresh, unresumed }: Taking): Taken {
  if (!afresh) return takeSaved(layout) ?? unresumed;
  discardSaved(layout);
  return undefined;
}

/** The guest that was taken, where this start is as it was; else it boots, which is told once. */
export function chooseGuest(
  taken: Taken,
  now: GuestIdentity,
  { layout, log, facts, config }: Choosing,
): SavedGuest | undefined {
  if (taken === undefined) return undefined;
  const unfit = 'unfit' in taken ? taken.unfit : differenceSince(taken, now, config);
  if (unfit === undefined && !('unfit' in taken)) return taken;
  forgetMemory(layout);
  log('info', 'guest-not-resumed', { why: unfit });
  facts.note({ notResumed: `It was suspended but could not be resumed: ${unfit}.` });
  return undefined;
}

interface Choosing {
  readonly layout: Layout;
  readonly log: Log;
  readonly facts: Pick<StartFacts, 'note'>;
  readonly config: Config;
}

/** Settings are named one by one: with them changes what is made of them. */
function differenceSince(
  { identity, settings }: SavedGuest,
  now: GuestIdentity,
  config: Config,
): string | undefined {
  const difference = differenceIn(identity, now);
  if (difference === undefined) return undefined;
  const changes = settings === undefined ? [] : changesForGuest(settings, config);
  return changes.length === 0
    ? difference
    : `settings have changed (${changes.map(describeChange).join('; ')})`;
}

/** Loading takes a second for 200 MB where the disk is slow, and a moment otherwise. */
const loadMs = (bytes: number): number => 10_000 + (bytes / 200e6) * 1_000;

/** Into a program that waits for it. Its file is used up before it goes on. */
export async function loadGuest(
  machine: VmControl,
  { bytes }: SavedGuest,
  { layout, clock, signal }: { layout: Layout; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const load = async (inTime: AbortSignal) => {
    await machine.memory?.load(layout.memory, inTime);
    inTime.throwIfAborted();
    forgetMemory(layout);
    await machine.resume();
  };
  const timeoutMs = loadMs(bytes);
  try {
    await within(load, { clock, timeoutMs, signal, late: () => notResumed(late(timeoutMs)) });
  } catch (error) {
    signal.throwIfAborted();
    throw asNotResumed(error);
  }
}

/** It goes on within a second or two; on a busy machine later. One that has not by then will not. */
const wakeMs = 20_000;

interface WakeOptions {
  readonly machine: VmControl;
  readonly agent: GuestAgent;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Nobody knows yet whether that works here: Nix's way in is tried, too. */
  readonly isTrial: boolean;
}

/** Its clock is right, its disk goes on, and its sshd greets: by the connection that this returns. Failed `guest-not-resumed`. */
export async function untilAwake(options: WakeOptions): Promise<Socket> {
  const { machine, agent, layout, clock, log, signal, isTrial } = options;
  const { tunnel } = machine;
  let greeted: Socket | undefined;
  const greet = async (inTime: AbortSignal) => {
    greeted = await greetedBy(tunnel, { clock, signal: inTime });
    if (inTime.aborted) greeted.destroy();
    return greeted;
  };
  const wake = async (inTime: AbortSignal) => {
    const [socket] = await Promise.all([greet(inTime), wakeGuest(agent, clock, inTime)]);
    if (!isTrial) return socket;
    const timeoutMs = loginTimeoutMs;
    const probe = await probeGuest({ tunnel, layout, clock, signal: inTime, timeoutMs });
    if (!probe.ok) throw new Failed(notResumed(probe.detail));
    return socket;
  };
  try {
    const inTime = { clock, timeoutMs: wakeMs, signal, late: () => notResumed(late(wakeMs)) };
    return await within(wake, inTime);
  } catch (error) {
    greeted?.destroy();
    if (signal.aborted) throw error;
    log('warn', 'guest-not-resumed', { failure: failureOf(error) });
    throw asNotResumed(error);
  }
}

const late = (ms: number) => `it did not answer within ${Math.round(ms / 1000)} s`;

/** What is one already says so once. */
function asNotResumed(error: unknown): unknown {
  const { kind, message } = failureOf(error);
  return kind === notResumedKind ? error : new Failed(notResumed(message), { cause: error });
}

const notResumedKind = 'guest-not-resumed';
/** `why`: a sentence, or half of one. */
export const notResumed = (why: string): Failure => ({
  kind: notResumedKind,
  message: `The suspended guest could not be resumed: ${asSentence(why)}`,
  hint: 'The guest is booted instead.',
  exit: Exit.temporary,
  deaf: 'dead',
  suspendFault: true,
});

/** `text`: what its kernel has said since it went on. */
export const complains = (text: string): Failure =>
  notResumed(`its kernel reports ${inMarks(text) ?? 'an error'}`);
