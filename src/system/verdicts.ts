/**
 * What was tried on this machine, and whether it works: one file, one mechanism for whatever can be done in several ways. A verdict
 * holds for one boot of the host and for what it was found with; one of another boot is forgotten. Whoever has mended a cause
 * need not boot: `linuxkit-builder verdicts --clear`.
 */
import { errorCode, Failed } from './failure.ts';
import { discard, readIfThere, writeWhole } from './files.ts';
import { fieldsOf } from './json-lines.ts';
import { bootId } from './process.ts';

/** What is chosen among several ways. */
export const subjects = ['accelerator', 'network', 'vm'] as const;
export type Subject = (typeof subjects)[number];

export interface Verdict {
  readonly subject: Subject;
  /** Name of the way: `kvm`, `gvproxy`. */
  readonly way: string;
  /** What it was found with, such as one build of a program: it says nothing of another. */
  readonly basis: string;
  /** Why the way does not work, in a sentence; undefined where it does. */
  readonly why?: string | undefined;
  /** What mends that, where it is known. */
  readonly remedy?: string | undefined;
  /** Wall time, ISO 8601. */
  readonly at: string;
}

/** A way that does not work. */
export type Rejection = Verdict & { readonly why: string };

export const isRejection = (verdict: Verdict | undefined): verdict is Rejection =>
  verdict?.why !== undefined;

/** How long a verdict holds, and what ends it. */
export const tryAgain =
  'That holds until this machine boots again; once its cause is mended: linuxkit-builder verdicts --clear.';

/** A rejection for a person; one without a time was only looked at, and holds for no longer than its cause. */
export const rejectionWords = ({ way, why, remedy, at }: Rejection): string =>
  [`${way}: ${sentence(why)}`, remedy, at === '' ? undefined : tryAgain]
    .filter((part) => part !== undefined)
    .join(' ');

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** The first way that nothing is held against, and what is held against those before it. Pure. */
export function firstFit<W>(
  ways: readonly W[],
  verdictOn: (way: W) => Verdict | undefined,
): { readonly fit: W | undefined; readonly rejected: readonly Rejection[] } {
  const verdicts = ways.map(verdictOn);
  const index = verdicts.findIndex((verdict) => !isRejection(verdict));
  const before = index < 0 ? verdicts : verdicts.slice(0, index);
  return { fit: index < 0 ? undefined : ways[index], rejected: before.filter(isRejection) };
}

/** Those of this boot of the host, oldest first; none where the file is not there, or not ours. */
export function readVerdicts(path: string): readonly Verdict[] {
  const { boot, verdicts } = recorded(path);
  return boot === bootId() && Array.isArray(verdicts) ? verdicts.flatMap(verdictIn) : [];
}

/** What is known of a way that was found with that. */
export const verdictOn = (
  { subject, way, basis }: Pick<Verdict, 'subject' | 'way' | 'basis'>,
  verdicts: readonly Verdict[],
): Verdict | undefined =>
  verdicts.findLast((each) => each.subject === subject && each.way === way && each.basis === basis);

/** Adds it, in place of an older one on the same. False where it cannot be kept: then it is found again by the next start. */
export function keepVerdict(verdict: Verdict, path: string): boolean {
  const same = ({ subject, way, basis }: Verdict) =>
    subject === verdict.subject && way === verdict.way && basis === verdict.basis;
  const verdicts = [...readVerdicts(path).filter((each) => !same(each)), verdict];
  try {
    const text = JSON.stringify({ boot: bootId(), verdicts: verdicts.slice(-most) });
    writeWhole(path, `${text}\n`, { durable: false });
    return true;
  } catch (error) {
    // No room, or no directory any more.
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
    return false;
  }
}

/** Each image and each build of a program may add some. */
const most = 100;

/** Nothing is held against any way any more. */
export const clearVerdicts = (path: string): void => discard(path);

function verdictIn(value: unknown): Verdict[] {
  const fields = fieldsOf(value);
  const { way, basis, at, why, remedy } = fields;
  const subject = subjects.find((name) => name === fields['subject']);
  if (subject === undefined) return [];
  if (typeof way !== 'string' || typeof basis !== 'string' || typeof at !== 'string') return [];
  return [
    {
      ...{ subject, way, basis, at },
      ...(typeof why === 'string' ? { why } : {}),
      ...(typeof remedy === 'string' ? { remedy } : {}),
    },
  ];
}

function recorded(path: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(readIfThere(path) ?? '{}'));
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) !== undefined) return {};
    throw error;
  }
}
