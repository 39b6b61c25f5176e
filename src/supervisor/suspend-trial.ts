/**
 * Whether a guest goes on from a file on this machine, as it was tried: no program tells, so the first that is suspended is resumed at once,
 * while nobody waits. What did not go well twice is not done again.
 */
import { release } from 'node:os';
import * as v from 'valibot';
import type { Layout } from '../config/layout.ts';
import type { Accelerator } from '../config/vm-programs.ts';
import { Failed } from '../system/failure.ts';
import { readIfThere, versionOf, writeWhole } from '../system/files.ts';

const schema = v.object({
  version: v.literal(1),
  basis: v.string(),
  /** It has gone well once. */
  works: v.boolean(),
  /** How often in a row it has not, and why at last. */
  failures: v.number(),
  why: v.optional(v.string()),
});
type Trial = Readonly<v.InferOutput<typeof schema>>;

type Place = Pick<Layout, 'suspendTrial'>;

const mostFailures = 2;

/** What a trial says something of: a build of the program, of the system below it, and the way in which it runs the guest's code. */
export const trialBasis = (
  program: string,
  accelerator: Accelerator,
  network: string | undefined,
): string => [versionOf(program), release(), accelerator, network ?? 'user'].join(' ');

/** `untried`, `works`, or why not. */
type Outcome = 'untried' | 'works' | { readonly why: string };

export function trialOf(layout: Place, basis: string): Outcome {
  const trial = readTrial(layout);
  return trial?.basis === basis ? verdictOf(trial) : 'untried';
}

export function verdictOf(trial: Trial): Outcome {
  if (trial.failures >= mostFailures) return { why: trial.why ?? '' };
  return trial.works ? 'works' : 'untried';
}

/** It went well. */
export const noteSuccess = (layout: Place, basis: string): void =>
  write(layout, { version: 1, basis, works: true, failures: 0 });

/** It did not; true when it is not done again from now on. */
export function noteFailure(layout: Place, basis: string, why: string): boolean {
  const before = readTrial(layout);
  const { works, failures } = before?.basis === basis ? before : { works: false, failures: 0 };
  write(layout, { version: 1, basis, works, failures: failures + 1, why });
  return failures + 1 === mostFailures;
}

/** What is known, whatever it was tried with; undefined where it was not tried, or is forgotten. */
export function readTrial({ suspendTrial }: Place): Trial | undefined {
  try {
    return v.parse(schema, JSON.parse(readIfThere(suspendTrial) ?? 'null'));
  } catch {
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
