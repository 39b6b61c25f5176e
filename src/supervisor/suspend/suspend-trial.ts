/**
 * Whether a guest goes on from a file on this machine, as it was tried: no program tells, so the first that is suspended is resumed at once,
 * while nobody waits. What did not go well twice is not done again.
 */
import { dirname } from 'node:path';
import * as v from 'valibot';
import type { Layout } from '../../config/layout.ts';
import type { Accelerator } from '../../domain/vm-programs.ts';
import { asSentence, plainly } from '../../system/advice.ts';
import { flushDirectory } from '../idle/saved-guest.ts';
import { inMarks } from '../../system/plain-text.ts';
import { Failed, type Failure } from '../../system/failure.ts';
import { readIfThere, writeWhole } from '../../system/files/files.ts';
import { versionOf } from '../../system/files/stamp.ts';
import { systemBuild } from '../../system/host/host.ts';

const schema = v.object({
  version: v.literal(1),
  basis: v.string(),
  /** It has gone well once. */
  works: v.boolean(),
  /** How often in a row it has not, and why at last. */
  failures: v.number(),
  /** How often it was begun and has not ended: whoever began it, or the machine, died of it, or for another reason. */
  begun: v.optional(v.number()),
  /** When it last has not; wall time, ISO 8601. */
  at: v.optional(v.string()),
  why: v.optional(v.string()),
});
type Trial = Readonly<v.InferOutput<typeof schema>>;

/** Where it is put down. */
export type TrialPlace = Pick<Layout, 'suspendTrial'>;

const mostFailures = 2;
/** What has worked here may have failed for a passing trouble: after a day it is tried again. */
const forgivenMs = 24 * 3_600_000;

/** What a trial says something of: a build of the program, of the system below it, and the way in which it runs the guest's code. */
export const trialBasis = (
  program: string,
  accelerator: Accelerator,
  network: string | undefined,
  osBuild = systemBuild(),
): string =>
  [versionOf(program, { lasts: true }), osBuild, accelerator, network ?? 'user'].join(' ');

/** `untried`, `works`, or why not. */
export type Outcome = 'untried' | 'works' | { readonly why: string };

/** `now`: wall time in ms. */
export function trialOf(layout: TrialPlace, basis: string, now: number): Outcome {
  const trial = readTrial(layout);
  return trial?.basis === basis ? verdictOf(trial, now) : 'untried';
}

/** What a trial says now: a machine that once worked has its failures forgiven after a while. */
export function verdictOf(trial: Trial, now: number): Outcome {
  const { begun = 0, works, why = cutShort } = trial;
  if (failuresIn(trial, now) + begun >= mostFailures) return { why };
  return works ? 'works' : 'untried';
}

/** It failed twice in a row: how at last, and when it is tried again by itself, which is so where it has worked before. */
export interface GivenUp {
  readonly why: string;
  /** Wall time, ISO 8601. */
  readonly until?: string;
}

/** Undefined where it is not so. `basis`: of the guest that there is; without one, what was tried last. */
export function givenUp(layout: TrialPlace, now: number, basis?: string): GivenUp | undefined {
  const trial = readTrial(layout);
  if (trial === undefined || (basis !== undefined && trial.basis !== basis)) return undefined;
  const verdict = verdictOf(trial, now);
  if (typeof verdict === 'string') return undefined;
  const { works, at } = trial;
  const until = at === undefined ? now : Date.parse(at) + forgivenMs;
  return { ...verdict, ...(works && { until: new Date(until).toISOString() }) };
}

/** Why, where nobody was left to see. */
export const cutShort = 'The daemon or this machine went down during the test.';

/** A trial begins. Until its end is told it counts as one that failed: what brings the machine down is not tried for ever. */
export const noteBegun = (layout: TrialPlace, basis: string): void => changeBegun(layout, basis, 1);

/** It has ended, and somebody saw how. */
export const noteEnded = (layout: TrialPlace, basis: string): void =>
  changeBegun(layout, basis, -1);

function changeBegun(layout: TrialPlace, basis: string, by: 1 | -1): void {
  const before = trialWith(layout, basis);
  write(layout, { ...before, begun: Math.max(0, (before.begun ?? 0) + by) });
}

/**
 * The trials that were begun before this daemon, and of which nobody saw the end, have failed. How many, and whether it is not done again
 * from now on; to be called while none is under way.
 */
export function countCutShort(
  layout: TrialPlace,
  basis: string,
  now: number,
): { readonly lost: number; readonly isLast: boolean } {
  const before = trialWith(layout, basis);
  const { begun: lost = 0, failures: earlier, ...trial } = before;
  if (lost === 0) return { lost, isLast: false };
  const failures = earlier + lost;
  const at = new Date(now).toISOString();
  write(layout, { ...trial, failures, begun: 0, at, why: cutShort });
  return { lost, isLast: earlier < mostFailures && failures >= mostFailures };
}

/** What is known of that basis. */
function trialWith(layout: TrialPlace, basis: string): Trial {
  const found = readTrial(layout);
  return found?.basis === basis ? found : { version: 1, basis, works: false, failures: 0 };
}

function failuresIn({ works, failures, at }: Trial, now: number): number {
  const age = at === undefined ? Infinity : Math.abs(now - Date.parse(at));
  return works && age >= forgivenMs ? 0 : failures;
}

/** It went well. */
export const noteSuccess = (layout: TrialPlace, basis: string): void =>
  write(layout, { version: 1, basis, works: true, failures: 0 });

/** It did not; true when it is not done again from now on. What says nothing of the way does not count. */
export function noteFailure(
  layout: TrialPlace,
  basis: string,
  failure: Pick<Failure, 'suspendFault' | 'message' | 'lines'>,
  now: number,
): boolean {
  if (failure.suspendFault !== true) return false;
  const before = trialWith(layout, basis);
  const failures = 1 + failuresIn(before, now);
  const at = new Date(now).toISOString();
  write(layout, { ...before, failures, at, why: withEvidence(failure) });
  return failures + (before.begun ?? 0) === mostFailures;
}

/** A program that only says that it has failed has often told why before. */
function withEvidence({ message, lines = [] }: Pick<Failure, 'message' | 'lines'>): string {
  const last = lines.map((line) => plainly(line).trim()).findLast((line) => line !== '');
  return last === undefined
    ? message
    : `${asSentence(message)} The last line of output: ${inMarks(last) ?? ''}`;
}

/** What is known, whatever it was tried with; undefined where it was not tried, or is forgotten. */
export function readTrial({ suspendTrial }: TrialPlace): Trial | undefined {
  try {
    return v.parse(schema, JSON.parse(readIfThere(suspendTrial) ?? 'null'));
  } catch {
    // It is tried again.
    return undefined;
  }
}

function write({ suspendTrial }: TrialPlace, trial: Trial): void {
  const before = readTrial({ suspendTrial });
  if (JSON.stringify(before) === JSON.stringify(trial)) return;
  try {
    writeWhole(suspendTrial, `${JSON.stringify(trial)}\n`);
    // A machine that goes down in the next moment would forget the new file's name.
    flushDirectory(dirname(suspendTrial));
  } catch (error) {
    // No room: it is tried again.
    if (!(error instanceof Failed)) throw error;
  }
}
