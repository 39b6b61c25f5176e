/**
 * Whether a guest goes on from a file on this machine, as it was tried: no program tells, so the first that is suspended is resumed at once,
 * while nobody waits. What did not go well twice is not done again.
 */
import * as v from 'valibot';
import type { Layout } from '../../config/layout.ts';
import type { Accelerator } from '../../domain/vm-programs.ts';
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
  /** When it last has not; wall time, ISO 8601. */
  at: v.optional(v.string()),
  why: v.optional(v.string()),
});
type Trial = Readonly<v.InferOutput<typeof schema>>;

type Place = Pick<Layout, 'suspendTrial'>;

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
type Outcome = 'untried' | 'works' | { readonly why: string };

/** `now`: wall time in ms. */
export function trialOf(layout: Place, basis: string, now: number): Outcome {
  const trial = readTrial(layout);
  return trial?.basis === basis ? verdictOf(trial, now) : 'untried';
}

/** What a trial says now: a machine that once worked has its failures forgiven after a while. */
export function verdictOf(trial: Trial, now: number): Outcome {
  if (failuresIn(trial, now) >= mostFailures) return { why: trial.why ?? '' };
  return trial.works ? 'works' : 'untried';
}

function failuresIn({ works, failures, at }: Trial, now: number): number {
  const age = at === undefined ? Infinity : Math.abs(now - Date.parse(at));
  return works && age >= forgivenMs ? 0 : failures;
}

/** It went well. */
export const noteSuccess = (layout: Place, basis: string): void =>
  write(layout, { version: 1, basis, works: true, failures: 0 });

/** It did not; true when it is not done again from now on. What says nothing of the way does not count. */
export function noteFailure(
  layout: Place,
  basis: string,
  { suspendFault, message: why }: Pick<Failure, 'suspendFault' | 'message'>,
  now: number,
): boolean {
  if (suspendFault !== true) return false;
  const found = readTrial(layout);
  const before = found?.basis === basis ? found : undefined;
  const failures = 1 + (before === undefined ? 0 : failuresIn(before, now));
  const at = new Date(now).toISOString();
  write(layout, { version: 1, basis, works: before?.works === true, failures, at, why });
  return failures === mostFailures;
}

/** What is known, whatever it was tried with; undefined where it was not tried, or is forgotten. */
export function readTrial({ suspendTrial }: Place): Trial | undefined {
  try {
    return v.parse(schema, JSON.parse(readIfThere(suspendTrial) ?? 'null'));
  } catch {
    // It is tried again.
    return undefined;
  }
}

function write({ suspendTrial }: Place, trial: Trial): void {
  const before = readTrial({ suspendTrial });
  if (JSON.stringify(before) === JSON.stringify(trial)) return;
  try {
    writeWhole(suspendTrial, `${JSON.stringify(trial)}\n`, { durable: false });
  } catch (error) {
    // No room: it is tried again.
    if (!(error instanceof Failed)) throw error;
  }
}
