/** Checks in the order in which things rest on each other: what rests on something broken is not blamed. */
import type { Sighting } from '../domain/recognise.ts';
import type { FindingCode } from './verdicts/finding-codes.ts';
import { joinTexts, type Text } from '../system/advice.ts';
import { failureOf } from '../system/failure.ts';

/** What one check saw. */
export type CheckVerdict =
  | { readonly kind: 'good'; readonly fact: string }
  /** It works, and is worth knowing; `isLess`: it works with less than usual, for a cause that is not the builder's. */
  | {
      readonly kind: 'note';
      readonly code: FindingCode;
      readonly fact: string;
      readonly why: Text;
      readonly isLess?: true;
    }
  | {
      readonly kind: 'bad';
      readonly code: FindingCode;
      /** The kind of the failure that was found, where it is one. */
      readonly failure?: string;
      readonly what: Text;
      readonly why: Text;
      /** The command, or the sentence, that mends it. */
      readonly remedy: Text;
      /** What repeats a piece of a person's file: shown to that person, and in no report. */
      readonly quotes?: string;
      /** Whose words or end it is, as the catalogue of known faults asks for it. */
      readonly seen?: Pick<Sighting, 'program' | 'version' | 'exitCode' | 'signal'>;
      /** The same done by us, where nothing can be lost by it. */
      readonly fix?: () => Promise<void> | void;
    }
  /** It does not concern this machine, or only somebody else can see it. */
  | { readonly kind: 'not-asked'; readonly code: FindingCode; readonly why: Text };

/** One thing that can be right or wrong, by a name that people and programs read. */
export interface Check {
  readonly name: string;
  /** Names of checks before this one. */
  readonly dependsOn: readonly string[];
  readonly run: () => Promise<CheckVerdict> | CheckVerdict;
}

/** A verdict, or that the check rests on one that is broken. `fixed` says that it was bad before. */
export type Finding = { readonly name: string } & (
  | (CheckVerdict & { readonly fixed?: boolean })
  | { readonly kind: 'skipped'; readonly because: string }
);

interface CheckRunOptions {
  readonly fix: boolean;
  readonly signal: AbortSignal;
  readonly onBegin: (name: string) => void;
  readonly onFinding: (finding: Finding) => void;
}

/** Runs them one after the other. A check that throws is a bad one with what it threw. */
export async function runChecks(
  checks: readonly Check[],
  options: CheckRunOptions,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  /** From a broken check's name, or that of one that rests on it, to the broken one's. */
  const roots = new Map<string, string>();
  for (const check of checks) {
    options.signal.throwIfAborted();
    const root = check.dependsOn.map((name) => roots.get(name)).find((name) => name !== undefined);
    if (root !== undefined) roots.set(check.name, root);
    else options.onBegin(check.name);
    const finding: Finding =
      root === undefined
        ? { name: check.name, ...(await settle(check, options)) }
        : { name: check.name, kind: 'skipped', because: root };
    if (finding.kind === 'bad') roots.set(check.name, check.name);
    findings.push(finding);
    options.onFinding(finding);
  }
  return findings;
}

async function settle(
  check: Check,
  { fix, signal }: CheckRunOptions,
): Promise<CheckVerdict & { readonly fixed?: boolean }> {
  const first = await look(check, signal);
  if (!fix || first.kind !== 'bad' || first.fix === undefined) return first;
  try {
    await first.fix();
  } catch (error) {
    const { message, hint } = failureOf(error);
    return {
      ...first,
      why: joinTexts(
        [first.why, `The fix failed: ${message}`].filter((each) => each !== ''),
        ' ',
      ),
      remedy: hint,
    };
  }
  const second = await look(check, signal);
  return second.kind === 'bad' ? second : { ...second, fixed: true };
}

async function look({ run }: Check, signal: AbortSignal): Promise<CheckVerdict> {
  try {
    return await run();
  } catch (error) {
    signal.throwIfAborted();
    const { kind, message, hint, lines, quotes } = failureOf(error);
    const said = quotes === undefined ? {} : { quotes };
    return {
      kind: 'bad',
      code: 'check-failed',
      failure: kind,
      what: message,
      why: joinTexts(lines ?? [], ' | '),
      remedy: hint,
      ...said,
    };
  }
}
