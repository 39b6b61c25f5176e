/** The last words of a guest whose daemon did not live to read them: appended to the log, without those that it did read. */
import { closeSync, fstatSync, openSync, readSync, rmSync, truncateSync } from 'node:fs';
import { errorCode } from '../system/failure.ts';
import { LineSplitter } from '../system/tail.ts';
import { plainText, type ConsoleLog } from './console-log.ts';

type Rescue = (path: string, log: ConsoleLog, at: number) => void;

/** By the kind of file that the console is. The file is empty or gone afterwards. */
export const rescue: Readonly<Record<'append' | 'ring', Rescue>> = {
  append: (path, log, at) => {
    const texts = linesOf(takeEnd(path));
    append(texts.slice(endOfKnown(texts, log.lastOfBoot(knownLines))), log, at);
  },
  ring: (path, log, at) => {
    const texts = linesOf(takeEnd(path));
    rmSync(path, { force: true });
    append(unreadInRing(texts, log.lastOfBoot(ringLines)), log, at);
  },
};

function append(unread: readonly string[], log: ConsoleLog, at: number): void {
  if (unread.length === 0) return;
  log.mark(at, 'left unread by the boot before');
  log.append(unread.map((text) => ({ at, text })));
}

function linesOf(bytes: Buffer | undefined): string[] {
  if (bytes === undefined) return [];
  const splitter = new LineSplitter();
  return [...splitter.push(bytes), ...splitter.end()].map(plainText);
}

/** How many lines are compared to find what is known: boots repeat single lines, not this many in a row. */
const knownLines = 5;
/** More lines than a ring of 64 KiB holds of any guest. */
const ringLines = 4_000;

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

/** The last bytes of a file, which is empty afterwards; undefined where there are none. */
function takeEnd(path: string, maxBytes = 256 * 1024): Buffer | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      const { size } = fstatSync(fd);
      const buffer = Buffer.alloc(Math.min(size, maxBytes));
      const length = readSync(fd, buffer, 0, buffer.length, size - buffer.length);
      truncateSync(path);
      return length === 0 ? undefined : buffer.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}
