/** The last words of a guest whose daemon did not live to read them: appended to the log, without those that it did read. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errorCode } from '../system/failure.ts';
import { discard } from '../system/files.ts';
import { ringBytes } from '../system/ring-bytes.ts';
import { LineSplitter } from '../system/tail.ts';
import { consoleText, type ConsoleLog } from './console-log.ts';

/**
 * Reads what an earlier guest left, by what the file is: the config may have named another VM program then. Nothing is left
 * where {@link forget} was called. The file is gone afterwards.
 */
export function rescue(path: string, log: ConsoleLog, at: number): void {
  const bytes = readEnd(path);
  forget(path);
  if (bytes === undefined) return;
  const texts = linesOf(bytes);
  const known = log.lastOfBoot();
  const unread =
    bytes.length === ringBytes
      ? unreadInRing(texts, lastBytes(known, ringBytes))
      : texts.slice(endOfKnown(texts, known.slice(-knownLines)));
  if (unread.length === 0) return;
  log.mark(at, 'left unread by the boot before');
  log.append(unread.map((text) => ({ at, text })));
}

/** All of the file was read. Removed, not emptied: who still has it mapped would crash at what is no longer there. */
export const forget = (path: string): void => discard(path);

function linesOf(bytes: Buffer): string[] {
  const splitter = new LineSplitter();
  return [...splitter.push(bytes), ...splitter.end()].map(consoleText);
}

/** How many lines are compared to find what is known: boots repeat single lines, not this many in a row. */
const knownLines = 5;

/** The last lines that so many bytes of a console may have given; each gives one character at most, or a line's end. */
function lastBytes(texts: readonly string[], bytes: number): readonly string[] {
  let from = texts.length;
  for (let left = bytes; from > 0 && left > 0; from--) left -= (texts[from - 1]?.length ?? 0) + 1;
  return texts.slice(from);
}

/** The index behind the last place in texts where the known lines stand in a row; 0 when they stand nowhere. */
function endOfKnown(texts: readonly string[], known: readonly string[]): number {
  if (known.length === 0) return 0;
  for (let end = texts.length; end > 0; end--) {
    const run = known.slice(-end);
    if (run.every((text, n) => texts[end - run.length + n] === text)) return end;
  }
  return 0;
}

/**
 * A ring's lines that are not in the log, oldest first. A ring has no mark where it begins: the unread begins behind the last
 * known lines and goes on, round the end, to where older known lines begin again.
 */
export function unreadInRing(texts: readonly string[], known: readonly string[]): string[] {
  const from = endOfKnown(texts, known.slice(-knownLines));
  if (from === 0) return [...texts];
  const round = [...texts.slice(from), ...texts.slice(0, from)];
  const old = new Set(known);
  // Two in a row: a guest repeats single lines. The line before them is the rest of one that was half overwritten.
  const end = round.findIndex((text, n) => old.has(text) && old.has(round[n + 1] ?? text));
  const unread = end < 0 ? round : round.slice(0, end);
  const last = unread.at(-1);
  const isRest = end >= 0 && last !== undefined && known.some((text) => text.endsWith(last));
  return isRest ? unread.slice(0, -1) : unread;
}

/** The last bytes of a file; undefined where there are none. */
function readEnd(path: string, maxBytes = 256 * 1024): Buffer | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      const { size } = fstatSync(fd);
      const buffer = Buffer.alloc(Math.min(size, maxBytes));
      const length = readSync(fd, buffer, 0, buffer.length, size - buffer.length);
      return length === 0 ? undefined : buffer.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}
