/** Lines that an older tool of this name left in files of others: ours take their place, and they come back at a removal. Pure. */
import { instance } from '../config/instance.ts';
import type { ReplacedLine } from './file-change.ts';

/** How our block begins, whatever is said behind it. */
const [opening = ''] = instance.marks.begin.split(' (');

/** Judges a line outside of our block, line break included; a character a byte. */
type IsLegacyLine = (line: string) => boolean;

/** The file without them. */
export function withoutLegacyLines(file: Uint8Array, isStray: IsLegacyLine): Buffer {
  const kept = linesOf(file, isStray).filter((line) => !line.isStray);
  return Buffer.from(kept.map(({ text }) => text).join(''), 'latin1');
}

/** They themselves, with their numbers. */
export const legacyLines = (file: Uint8Array, isStray: IsLegacyLine): ReplacedLine[] =>
  linesOf(file, isStray).flatMap(({ text, isStray }, line) => (isStray ? [{ line, text }] : []));

function linesOf(
  file: Uint8Array,
  isStray: IsLegacyLine,
): { readonly text: string; readonly isStray: boolean }[] {
  let inBlock = false;
  const lines = Buffer.from(file)
    .toString('latin1')
    .split(/(?<=\n)/);
  return lines.map((text) => {
    if (text.startsWith(opening)) inBlock = true;
    if (text.startsWith(instance.marks.end)) inBlock = false;
    return { text, isStray: !inBlock && isStray(text) };
  });
}
