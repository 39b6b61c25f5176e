/**
 * Nix's list of builders, /etc/nix/machines: read by the rules of Nix's own parser (machines.cc), since one malformed line
 * disables every builder, and our line in it.
 */
import { alias, bareKey, guestUser } from './ssh/stanza.ts';

/**
 * `old`: splits at `;` before it takes comments away, takes blanks for a builder without a name, whole speed factors only. `new`: the other
 * way round, floats too.
 */
export type Rules = 'old' | 'new';

/** One line, parsed. */
export interface MachinesEntry {
  readonly store: string;
  readonly systems: readonly string[];
  readonly maxJobs: number;
  readonly features: readonly string[];
  /** Offered too, and only to what requires all of these. */
  readonly mandatory: readonly string[];
  readonly speedFactor: number;
}

/** What makes Nix refuse the file. */
interface BadMachinesLine {
  /** From 1. */
  readonly line: number;
  readonly message: string;
  /** The first Nix that does not mind. */
  readonly fineSince?: string;
}

/** What Nix makes of the text. `@file` entries are `files`: what they lead to is another text. */
export function parseMachines(
  text: string,
  rules: Rules,
): {
  readonly machines: readonly MachinesEntry[];
  readonly bad: readonly BadMachinesLine[];
  readonly files: readonly { readonly line: number; readonly path: string }[];
} {
  const machines: MachinesEntry[] = [];
  const bad: BadMachinesLine[] = [];
  const files: { line: number; path: string }[] = [];
  for (const { line, entry } of entriesOf(text, rules)) {
    const fields = entry.split(blanks).filter((field) => field !== '');
    const fault = faultOf(fields, rules);
    if (entry.startsWith('@')) files.push({ line, path: entry.slice(1).trim() });
    else if (fault !== undefined) bad.push({ line, ...fault });
    else machines.push(machineOf(fields));
  }
  return { machines, bad, files };
}

/** What is between two fields. */
const blanks = /[ \t\r]+/;

/** The text with what each `@file` in it names in its place, as Nix reads it; a file that is not there is nothing, nor is one within itself. */
export function withIncluded(
  text: string,
  read: (path: string) => string | undefined,
  within: readonly string[] = [],
): string {
  return text
    .split('\n')
    .map((line) => {
      const entries = line.replace(/#.*/, '').split(';');
      if (!entries.some((entry) => /^\s*@/.test(entry))) return line;
      return entries
        .map((entry) => {
          const path = /^\s*@(.+)/.exec(entry)?.[1]?.trim();
          if (path === undefined) return entry;
          if (within.includes(path)) return '';
          return withIncluded(read(path) ?? '', read, [...within, path]);
        })
        .join('\n');
    })
    .join('\n');
}

/** True when what `builders` says, or a file that it names, has our line. */
export const leadsToUs = (builders: string, read: (path: string) => string | undefined): boolean =>
  hasBuilder(Buffer.from(withIncluded(builders, read)));

interface LineOptions {
  readonly system: string;
  readonly extraSystems?: readonly string[];
  readonly maxJobs: number;
  readonly features: readonly string[];
  readonly hostPublicKey: string;
  readonly mandatoryFeatures?: readonly string[];
  readonly speedFactor?: number;
  readonly protocol?: 'ssh-ng' | 'ssh';
}

/** Our line. No key field: a path in it could hold no space, and ssh has it from its own configuration. */
export function machinesLine(options: LineOptions): string {
  const { system, maxJobs, features, hostPublicKey } = options;
  const { extraSystems = [], mandatoryFeatures = [], speedFactor = 1 } = options;
  const { protocol = 'ssh-ng' } = options;
  const list = (words: readonly string[]) => (words.length === 0 ? '-' : words.join(','));
  return [
    `${protocol}://${guestUser}@${alias}`,
    list([system, ...extraSystems]),
    '-',
    String(maxJobs),
    String(speedFactor),
    list(features),
    list(mandatoryFeatures),
    Buffer.from(bareKey(hostPublicKey)).toString('base64'),
  ].join(' ');
}

/** True when the builder is in the list, in whoever's words. */
export const hasBuilder = (file: Uint8Array): boolean =>
  ourEntryIn(Buffer.from(file).toString('latin1')) !== undefined;

/** Our entry in that text; one of a host whose name only ends as ours does is none. */
export const ourEntryIn = (text: string): MachinesEntry | undefined =>
  parseMachines(text, 'new').machines.find(({ store }) =>
    new RegExp(`(^|[/@])${alias}$`).test(store),
  );

/** Entries with the lines they stand in. By the old rules some are nothing but blanks, and an `@` counts only where it is the first character. */
function entriesOf(text: string, rules: Rules): { line: number; entry: string }[] {
  const uncommented = (part: string) => part.replace(/#.*/s, '');
  return text
    .split('\n')
    .flatMap((whole, index) => {
      const parts =
        rules === 'old'
          ? whole.split(';').map(uncommented)
          : uncommented(whole)
              .split(';')
              .map((part) => part.trim());
      return parts.map((entry) => ({ line: index + 1, entry }));
    })
    .filter(({ entry }) => entry !== '');
}

function faultOf(
  fields: readonly string[],
  rules: Rules,
): Omit<BadMachinesLine, 'line'> | undefined {
  const field = (index: number) => {
    const value = fields[index];
    return value === undefined || value === '-' ? undefined : value;
  };
  const [store, jobs, speed, key] = [field(0), field(3), field(4), field(7)];
  if (fields.length === 0)
    return { message: 'blanks must not stand alone or before a comment', fineSince: '2.29' };
  if (store === undefined) return { message: 'column 1 must be a store URL' };
  if (jobs !== undefined && !isUnsigned(jobs))
    return { message: `column 4 (jobs) must be a whole number, but is ${jobs}` };
  if (speed !== undefined && !isPositive(speed))
    return { message: `column 5 (speed factor) must be a number, but is ${speed}` };
  if (speed !== undefined && rules === 'old' && !isUnsigned(speed)) {
    const message = `column 5 (speed factor) must be a whole number, but is ${speed}`;
    return { message, fineSince: '2.26' };
  }
  // Nix reads no further than the first =.
  if (key !== undefined && !/^[A-Za-z0-9+/]*(=|$)/.test(key))
    return { message: 'column 8 (host key) must be base64' };
  return undefined;
}

function machineOf(fields: readonly string[]): MachinesEntry {
  const list = (index: number) => (fields[index] ?? '-').split(',').filter((word) => word !== '-');
  return {
    store: fields[0] ?? '',
    systems: list(1),
    maxJobs: Number(fields[3] === undefined || fields[3] === '-' ? 1 : fields[3]),
    features: list(5),
    mandatory: list(6),
    speedFactor: Number(fields[4] === undefined || fields[4] === '-' ? 1 : fields[4]),
  };
}

const isUnsigned = (text: string): boolean => /^\+?\d+$/.test(text) && Number(text) < 2 ** 32;
const isPositive = (text: string): boolean =>
  /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text));
