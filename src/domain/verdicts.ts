/**
 * What was tried on this machine, and whether it works: one file, one mechanism for whatever can be done in several ways. A verdict
 * holds for what it was found with, and for one boot of the host unless it says otherwise. Whoever has mended a cause need not boot:
 * `linuxkit-builder verdicts --clear`.
 */
import { errorCode, Failed, type Failure } from '../system/failure.ts';
import { discard, readIfThere, writeWhole } from '../system/files/files.ts';
import { fieldsOf } from '../system/socket/json-lines.ts';
import { bootId } from '../system/process/process.ts';
import { advice, asSentence, joinTexts, ours, type Text } from '../system/advice.ts';

/** What is chosen among several ways. */
const subjects = ['accelerator', 'network', 'vm', 'image'] as const;
/** What a verdict is on. */
export type Subject = (typeof subjects)[number];

/** One of several ways, as it is here now. */
interface Way {
  readonly subject: Subject;
  /** Its name: `kvm`, `gvproxy`. */
  readonly way: string;
  /** What it is tried with, such as one build of a program: what is found says nothing of another. */
  readonly basis: string;
}

/** What was found of one way: that it works, or why it does not. */
export interface Verdict extends Way {
  /** Why the way does not work, in a sentence; undefined where it does. */
  readonly why?: string | undefined;
  /** What mends that, where it is known. */
  readonly remedy?: Text | undefined;
  /** Wall time, ISO 8601. */
  readonly at: string;
  /** What ends it; the next boot of the host where absent. */
  readonly holdsUntil?: 'image-build' | undefined;
  /** It may be gone with the next boot of the host: nothing else is to be concluded from it. */
  readonly passes?: boolean | undefined;
}

/** What a failure teaches: how it is told, and what is to be kept of it. */
export interface Lesson {
  readonly failure: Failure;
  readonly verdict?: Verdict;
}

/** A way that does not work. */
export type Rejection = Verdict & { readonly why: string };

/** It does not work. */
export const isRejection = (verdict: Verdict | undefined): verdict is Rejection =>
  verdict?.why !== undefined;

const clear = advice`Once you have fixed the cause, run ${ours('verdicts', '--clear')}.`;

/** How long a verdict holds, and what ends it. */
export const tryAgain = advice`This is remembered until the next reboot. ${clear}`;

/** The same for a VM program, whose builder then keeps another one. */
export const tryAgainUpgraded = advice`This is remembered until an upgrade of that program or of the operating system. ${clear}`;

/** Which of them is true of a verdict. */
export const tryAgainOf = ({ subject, passes }: Pick<Verdict, 'subject' | 'passes'>): Text =>
  subject === 'vm' && passes !== true ? tryAgainUpgraded : tryAgain;

/** A rejection for a person; one without a time was only looked at, and holds for no longer than its cause. */
export const describeRejection = (rejection: Rejection): Text => {
  const { way, why } = rejection;
  return joinTexts([`${way}: ${asSentence(why)}`, ...remediesOf(rejection)], ' ');
};

/** What helps against it: what mends it, and what has it tried again. */
export const remediesOf = (rejection: Rejection): readonly Text[] => {
  const { remedy, at } = rejection;
  return [remedy, at === '' ? undefined : tryAgainOf(rejection)].filter(
    (part) => part !== undefined,
  );
};

/** A VM program that was left for another one, perhaps in an earlier boot of the host. */
export const describeLeft = (left: { readonly vm: string; readonly why?: string | undefined }) =>
  advice`${left.vm}: ${asSentence(left.why ?? 'It failed before')} ${tryAgainUpgraded}`;

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

/**
 * The way to take: the first that nothing is held against, with a sentence for each better one. Where none is left the best is tried
 * again; undefined where there is none at all. Pure.
 */
export function bestOf<W>(
  ways: readonly W[],
  verdictOn: (way: W) => Verdict | undefined,
): { readonly way: W; readonly rejected: readonly Text[] } | undefined {
  const { fit, rejected } = firstFit(ways, verdictOn);
  const way = fit ?? ways[0];
  if (way === undefined) return undefined;
  return { way, rejected: fit === undefined ? [] : rejected.map(describeRejection) };
}

/** Those that hold, oldest first; none where the file is not there, or not ours. */
export function readVerdicts(path: string): readonly Verdict[] {
  const { boot, verdicts } = recorded(path);
  const all = Array.isArray(verdicts) ? verdicts.flatMap(verdictIn) : [];
  return boot === bootId() ? all : all.filter(({ holdsUntil }) => holdsUntil !== undefined);
}

/** What is known of a way that was found with that. */
export const verdictOn = (
  { subject, way, basis }: Way,
  verdicts: readonly Verdict[],
): Verdict | undefined =>
  verdicts.findLast((each) => each.subject === subject && each.way === way && each.basis === basis);

/** Whether they are on the same thing; of what is made anew the last one counts alone. */
const areOnSame = (one: Verdict, other: Verdict): boolean =>
  one.subject === other.subject &&
  one.way === other.way &&
  (one.basis === other.basis || other.holdsUntil !== undefined);

/** Adds it, in place of an older one on the same. False where it cannot be kept: then it is found again by the next start. */
export function keepVerdict(verdict: Verdict, path: string): boolean {
  const others = readVerdicts(path).filter((each) => !areOnSame(each, verdict));
  try {
    writeVerdicts([...others, verdict].slice(-most), path);
    return true;
  } catch (error) {
    // No room, or no directory any more.
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
    return false;
  }
}

function writeVerdicts(verdicts: readonly Verdict[], path: string): void {
  writeWhole(path, `${JSON.stringify({ boot: bootId(), verdicts })}\n`, { durable: false });
}

/**
 * What one daemon knows: what is written, and what could not be. The latter it keeps in mind, since what nobody remembers would be tried
 * for ever.
 */
export class Verdicts {
  readonly #path: string;
  #unwritten: readonly Verdict[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  all(): readonly Verdict[] {
    return [...readVerdicts(this.#path), ...this.#unwritten];
  }

  keep(verdict: Verdict): void {
    const others = this.#unwritten.filter((each) => !areOnSame(each, verdict));
    this.#unwritten = keepVerdict(verdict, this.#path) ? others : [...others, verdict];
  }

  /** What is only kept in mind is tried again: nobody else could clear it. */
  forget(): void {
    this.#unwritten = [];
  }
}

/** Each image and each build of a program may add some. */
const most = 100;

/** Nothing is held against any way any more; with `subject`, against none of that. */
export function clearVerdicts(path: string, subject?: Subject): void {
  const others = readVerdicts(path).filter((each) => each.subject !== subject);
  if (subject === undefined || others.length === 0) discard(path);
  else writeVerdicts(others, path);
}

function verdictIn(value: unknown): Verdict[] {
  const fields = fieldsOf(value);
  const { way, basis, at, why, remedy, holdsUntil, passes } = fields;
  const subject = subjects.find((name) => name === fields['subject']);
  if (subject === undefined) return [];
  if (typeof way !== 'string' || typeof basis !== 'string' || typeof at !== 'string') return [];
  return [
    {
      subject,
      way,
      basis,
      at,
      ...(typeof why === 'string' ? { why } : {}),
      ...(typeof remedy === 'string' ? { remedy } : {}),
      ...(holdsUntil === 'image-build' ? { holdsUntil } : {}),
      ...(passes === true ? { passes } : {}),
    },
  ];
}

function recorded(path: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(readIfThere(path) ?? '{}'));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof Failed) return {};
    throw error;
  }
}
