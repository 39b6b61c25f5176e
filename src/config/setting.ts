/** A setting as a row: what it takes, the flags that give it its value, when a change of it acts, and what its page says. */
import * as v from 'valibot';

/** A flag of `configure`. */
export interface Flag {
  /** As commander takes it. */
  readonly flags: string;
  readonly help: string;
  /** What its words are; by default text. What is not a number stays text: the check of the settings names it. */
  readonly is?: 'number' | 'list' | 'path' | 'switch';
  /** The part of the setting that it gives. */
  readonly part?: string;
}

/** All that is known of a setting, for the file, the command line, the status and the docs. */
export interface Setting {
  /** What the file takes. */
  readonly schema: v.GenericSchema;
  /** Absent: it stands in the file alone. */
  readonly flags?: readonly Flag[];
  /** `now`: it counts at once. `guest`: a guest has it when it starts again. `later`: another command, or the daemon's next start, takes it. */
  readonly acts: 'now' | 'guest' | 'later';
  /** What `status` says of the builder has it. */
  readonly isShown?: true;
  /** For the page, in Markdown, for each flag that it has: what it means, the values that it takes, and its default. */
  readonly page: readonly (readonly [meaning: string, takes: string, usual: string])[];
}

/** A flag, in a line. */
export const flag = (flags: string, help: string, more: Pick<Flag, 'is' | 'part'> = {}): Flag => ({
  flags,
  help,
  ...more,
});

/** A whole number from `low` to `high`, both included. */
export const whole = (low: number, high: number) =>
  v.pipe(
    v.number('must be a whole number'),
    v.integer('must be a whole number'),
    v.minValue(low, `must be at least ${low}`),
    v.maxValue(high, `must be at most ${high}`),
  );
/** A list of such values. An empty one is allowed. */
export const listOf = <T extends v.GenericSchema>(of: T) =>
  v.array(of, 'must be a list in brackets');
/** `must be one, two or three`. */
export const oneOf = (names: readonly string[]): string =>
  `must be ${[names.slice(0, -1).join(', '), ...names.slice(-1)].filter(Boolean).join(' or ')}`;
/** A switch, without any other word for it. */
export const yesOrNo = v.boolean('must be true or false');
const oneWord = 'must be one word of letters, digits and . _ -';
/** A feature is one word: a comma or a space would become another field of the machines line. */
export const feature = v.pipe(v.string(oneWord), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, oneWord));
