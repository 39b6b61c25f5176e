import { advice, asSentence, type Text } from '../system/advice.ts';

/** One thing wrong in what a person wrote. All of them are reported at once. */
export interface Problem {
  /** Where: `memoryMiB`, `qemu.program`, `state directory`. */
  readonly path: string;
  readonly value?: unknown;
  /** What is wrong, to be read after the path: "must be at least 512". */
  readonly message: string;
  /** Empty where the hint of a later problem says it. */
  readonly hint: Text;
  /** The hint is the same for every setting: of several such problems the last one says it. */
  readonly hasCommonHint?: true;
  /** A parser's words, which repeat a piece of a person's file: for that person's terminal, never for a record or a report. */
  readonly quotes?: string;
}

/** What may be written down: without what repeats the file, and what only says how to tell it. */
export const recorded = ({ quotes: _, hasCommonHint: __, ...problem }: Problem): Problem => problem;

/** The same where another problem, or what stands below all of them, has the common hint. */
export function withoutCommonHint({ hasCommonHint, ...problem }: Problem): Problem {
  return hasCommonHint === true ? { ...problem, hint: '' } : problem;
}

/** The same for the person whose file it is. */
export const describeToOwner = ({ quotes, ...problem }: Problem): Text =>
  describeProblem(
    quotes === undefined ? problem : { ...problem, message: `${problem.message} (${quotes})` },
  );

/** A problem in one line, value included. */
export function describeProblem({ path, value, message, hint }: Problem): Text {
  // JSON has no word for Infinity, which JSON.parse makes of 1e400.
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  const shown = value === undefined ? '' : ` = ${text}`;
  const wrong = `${path}${shown}: ${asSentence(message)}`;
  return hint === '' ? wrong : advice`${wrong} ${hint}`;
}
