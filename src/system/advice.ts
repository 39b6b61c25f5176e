/**
 * Text that names commands of this program: hints, remedies, warnings. Where its commands are stays known until it is shown, so that
 * nothing has to look for them in a finished sentence: whoever named a state directory is given commands for that one.
 */
import { shellWord } from './shell.ts';

/** The commands that work in a state directory, as they are typed. */
export const commands = [
  'boot-report',
  'configure',
  'console',
  'daemon',
  'debug',
  'disk keep',
  'disk reset',
  'doctor',
  'drain',
  'explain',
  'gc',
  'image build',
  'image info',
  'image update',
  'image verify',
  'keys renew',
  'list',
  'logs',
  'machines',
  'restart',
  'resume',
  'ssh',
  'ssh-config',
  'start',
  'status',
  'stop',
  'suspend',
  'trim',
  'unconfigure',
  'undrain',
  'up',
  'verdicts',
  'wait',
] as const;
type CommandName = (typeof commands)[number];

/** One command of this program, with what is typed behind it. */
interface OwnCommand {
  readonly command: CommandName;
  readonly rest: string;
}

/** What a person reads: with commands of ours in it, or without. */
export type Text = string | Advice;

/** Text with commands of ours. It has no toString(): what makes a string of it says for which directory. */
export class Advice {
  readonly parts: readonly (string | OwnCommand)[];

  constructor(parts: readonly (string | OwnCommand)[]) {
    this.parts = parts;
  }

  /** To be shown to somebody who named this directory, or, where it is undefined, none. */
  for(directory: string | undefined): string {
    const where = directory === undefined ? '' : ` -d ${shellWord(directory)}`;
    const shown = (part: string | OwnCommand) =>
      typeof part === 'string' ? part : `linuxkit-builder ${part.command}${where}${part.rest}`;
    return this.parts.map(shown).join('');
  }

  /** In a record: as for somebody who named none. */
  toJSON(): string {
    return this.for(undefined);
  }
}

/** A command of this program; `rest`: its options and arguments. */
export const ours = (command: CommandName, rest = ''): Advice =>
  new Advice([{ command, rest: rest === '' ? '' : ` ${rest}` }]);

/** The same for one certain builder, whatever its reader named; `where`: its directory, quoted. */
export const oursIn = (where: string, command: CommandName): string =>
  plainly(ours(command, `-d ${where}`));

/** Tag of a template that may have {@link ours} and other texts in it. */
export const advice = (fixed: TemplateStringsArray, ...values: (Text | number)[]): Advice =>
  new Advice(
    fixed
      .flatMap((text, index) => {
        const value = values[index] ?? '';
        return [text, ...(value instanceof Advice ? value.parts : [String(value)])];
      })
      .filter((part) => part !== ''),
  );

/** As {@link Advice.for}; a string is what it is. */
export const textFor = (text: Text, directory: string | undefined): string =>
  typeof text === 'string' ? text : text.for(directory);

/** As it is in a record. */
export const plainly = (text: Text): string => textFor(text, undefined);

/** One text of several. */
export const joinTexts = (texts: readonly Text[], between: string): Text =>
  texts.reduce((all, text, index) => (index === 0 ? text : advice`${all}${between}${text}`), '');

/** Its lines, each with the commands that are in it. */
export function textLines(text: Text): readonly Text[] {
  if (typeof text === 'string') return text.split('\n');
  const lines: (string | OwnCommand)[][] = [[]];
  for (const part of text.parts) {
    const [first = part, ...more] = typeof part === 'string' ? part.split('\n') : [part];
    lines.at(-1)?.push(first);
    lines.push(...more.map((line) => [line]));
  }
  return lines.map((parts) => new Advice(parts));
}

/** A record as others will read it: of the commands in it each is for this directory. */
export function writtenFor<T>(record: T, directory: string | undefined): T {
  const written = (value: unknown): unknown => {
    if (value instanceof Advice) return value.for(directory);
    if (Array.isArray(value)) return value.map(written);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, written(each)]));
  };
  // One cast: where a text may be, a string may be.
  return written(record) as T;
}

/** Text that something else follows: with a full stop, where it has none. A hint that ends with a command has none. */
export function asSentence(text: string): string;
export function asSentence(text: Text): Text;
export function asSentence(text: Text): Text {
  if (/[.!?]$/.test(plainly(text))) return text;
  return typeof text === 'string' ? `${text}.` : advice`${text}.`;
}
