/**
 * What root's script does to the two files that others write too: a block of ours with one line that never changes, put there without
 * touching another byte. The same as the script does it, for those who may read the file. Pure; a character is a byte.
 */
import type { ReplacedLine } from '../file-change.ts';
import { beginMark, endMark } from '../managed-block.ts';

/** Our line in somebody's file. */
export interface RootLine {
  readonly line: string;
  /** `last`: yet first where the file's last line is unfinished, so that taking ours out gives back that too. */
  readonly position: 'first' | 'last';
}

/** The line between its marks, as it stands in the file: a character a byte. */
export const blockOf = ({ line }: RootLine, eol = '\n'): string =>
  [beginMark, bytesOf(line), endMark, ''].join(eol);

/** The file as it shall be: the same text where nothing is to be done. */
export function withLine(text: string, wanted: RootLine): string {
  const block = blockOf(wanted);
  if (wanted.position === 'first') {
    const others = cut(text, { lines: blockOf(wanted, '\r\n') });
    return others.startsWith(block) ? others : block + cut(others, { lines: block });
  }
  const theirs = cutsOf(text).reduce(cut, text);
  if (`\n${theirs}`.includes(`\n${block}`)) return theirs;
  return `\n${theirs}`.endsWith('\n') ? theirs + block : block + theirs;
}

/** The release before wrote it with the file's own line breaks. */
export const oldIncludes = (line: RootLine, isOld: boolean): Cut[] =>
  isOld ? [{ lines: blockOf(line, '\r\n') }] : [];

/** Whole lines to be taken out, a character a byte. */
export interface Cut {
  readonly lines: string;
  /** The line break before them, if that goes with them. */
  readonly breakBefore?: string;
}

/** The text without our lines, and without the line break that was put before them. */
export function cut(text: string, { lines, breakBefore = '' }: Cut): string {
  const at = `\n${text}`.indexOf(`\n${lines}`);
  if (at < 0) return text;
  const rest = text.slice(0, at) + text.slice(at + lines.length);
  return rest.endsWith(breakBefore) ? rest.slice(0, rest.length - breakBefore.length) : rest;
}

/** What the release before, or linuxkit-nix, left in Nix's list: both would make Nix know the builder twice. */
export function cutsOf(text: string): Cut[] {
  const [old] = [...text.matchAll(oldBlock)];
  const isUnfinished = old !== undefined && !old[0].endsWith('\n');
  const lines = old?.[0] ?? '';
  // It ended an unfinished file with its block: the break before it was its own.
  const breakBefore = lines.includes('\r\n') ? '\r\n' : '\n';
  return [
    ...(old === undefined ? [] : [isUnfinished ? { lines, breakBefore } : { lines }]),
    ...leftoversIn(text).map(({ text: line }) => ({ lines: line })),
  ];
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const oldBlock = new RegExp(
  `^${escaped(beginMark)}\\r?\\nssh-ng://builder@nix-linuxkit .*\\r?\\n${escaped(endMark)}(\\r?\\n|(?![^]))`,
  'gm',
);

/** Lines outside of our block that make Nix know the builder, of which nobody but linuxkit-nix has written such. */
export function leftoversIn(text: string): ReplacedLine[] {
  const lines = text.split(/(?<=\n)/);
  return lines.flatMap((line, index) =>
    isLeftover(line) && !(lines[index - 1] ?? '').startsWith(beginMark)
      ? [{ line: index, text: line }]
      : [],
  );
}

const isLeftover = (line: string): boolean =>
  /^\s*(\w[\w+-]*:\/\/)?([^\s@#;]+@)?nix-linuxkit(\s|$)/.test(line) && !line.includes(';');

/** True where the line is there, in our block or in somebody's own words. */
export const hasLine = (text: string, line: string): boolean =>
  text.split(/\r?\n/).includes(bytesOf(line));

const bytesOf = (line: string): string => Buffer.from(line, 'utf8').toString('latin1');
