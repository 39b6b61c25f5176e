/**
 * Our lines in a file that belongs to others: one block between two marks, put there, replaced and taken out again
 * without touching any other byte. Works on bytes, since such files need not be UTF-8.
 */

import { instance } from '../config/instance.ts';
import type { ReplacedLine } from './file-change.ts';

/** Where a new block stands. Where order decides (ssh takes the first value it meets) it must be `first`. */
type Position = 'first' | 'last';

export const { begin: beginMark, end: endMark } = instance.marks;

/** The file with the block holding exactly these lines: replaced where it stands if that place is right, else moved there. */
export function withBlock(file: Uint8Array, lines: readonly string[], position: Position): Buffer {
  const text = textOf(file);
  const found = findBlocks(text);
  const others = cut(text, found);
  const eol = others.includes('\r\n') ? '\r\n' : '\n';
  const block = [beginMark, ...lines.map(bytesAsText), endMark].join(eol);
  const [only] = found;
  if (only !== undefined && found.length === 1 && (position === 'last' || only.start === 0))
    return bytesOf(text.slice(0, only.start) + block + text.slice(only.textEnd));
  return bytesOf(insert(others, block, position, eol));
}

/** The file without the block: what it was before withBlock, byte for byte. */
export function withoutBlock(file: Uint8Array): Buffer {
  const text = textOf(file);
  return bytesOf(cut(text, findBlocks(text)));
}

/** The lines in the block, or undefined when there is none. */
export function blockLines(file: Uint8Array): readonly string[] | undefined {
  const text = textOf(file);
  const [block] = findBlocks(text);
  if (block === undefined) return undefined;
  return text
    .slice(block.start, block.textEnd)
    .split(/\r?\n/)
    .slice(1, -1)
    .map((line) => bytesOf(line).toString('utf8'));
}

/**
 * A file whose last line is unfinished gets a block whose last line is unfinished too: that is how withoutBlock knows that
 * the line break between them is ours.
 */
function insert(text: string, block: string, position: Position, eol: string): string {
  if (position === 'first' || text === '') return block + eol + text;
  return text.endsWith('\n') ? text + block + eol : text + eol + block;
}

interface Span {
  readonly start: number;
  /** After the last character of the end mark. */
  readonly textEnd: number;
  /** After its line break too. */
  readonly end: number;
}

function findBlocks(text: string): Span[] {
  const blocks: Span[] = [];
  let start: number | undefined;
  let at = 0;
  for (const line of text.split(/(?<=\n)/)) {
    // A lone CR at the file's end would be half of a line break if ours came after it.
    const bare = line.replace(/\r?\n$|\r$/, '');
    if (bare === beginMark) start = at;
    if (bare === endMark && start !== undefined) {
      blocks.push({ start, textEnd: at + bare.length, end: at + line.length });
      start = undefined;
    }
    at += line.length;
  }
  return blocks;
}

function cut(text: string, blocks: readonly Span[]): string {
  return blocks.reduceRight((rest, { start, textEnd, end }) => {
    const before = rest.slice(0, start);
    return (end === textEnd ? withoutBreak(before, eolOf(rest, start)) : before) + rest.slice(end);
  }, text);
}

/** The line break that a block was written with: the one before it, when that is ours, is the same. */
const eolOf = (text: string, start: number): string =>
  text.startsWith('\r\n', start + beginMark.length) ? '\r\n' : '\n';

const withoutBreak = (text: string, eol: string): string =>
  text.endsWith(eol) ? text.slice(0, -eol.length) : text;

// One character a byte, so that nothing is lost on the way.
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const bytesAsText = (line: string): string => textOf(Buffer.from(line, 'utf8'));

/** How our block begins, whatever is said behind it. */
const [opening = ''] = beginMark.split(' (');

/** Judges a line outside of our block that an older tool may have left, line break included; a character a byte. */
type IsLegacyLine = (line: string) => boolean;

/** The file without those: ours take their place. */
export function withoutLegacyLines(file: Uint8Array, isStray: IsLegacyLine): Buffer {
  const kept = linesOf(file, isStray).filter((line) => !line.isStray);
  return bytesOf(kept.map(({ text }) => text).join(''));
}

/** They themselves, with their numbers: they come back at a removal. */
export const legacyLines = (file: Uint8Array, isStray: IsLegacyLine): ReplacedLine[] =>
  linesOf(file, isStray).flatMap(({ text, isStray }, line) => (isStray ? [{ line, text }] : []));

function linesOf(
  file: Uint8Array,
  isStray: IsLegacyLine,
): { readonly text: string; readonly isStray: boolean }[] {
  let inBlock = false;
  const lines = textOf(file).split(/(?<=\n)/);
  return lines.map((text) => {
    if (text.startsWith(opening)) inBlock = true;
    if (text.startsWith(endMark)) inBlock = false;
    return { text, isStray: !inBlock && isStray(text) };
  });
}
