/** The last words of a guest whose daemon did not live to read them: appended to the log, without those that it did read. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errorCode } from '../../system/failure.ts';
import { discard } from '../../system/files/files.ts';
import { ringBytes } from './ring-bytes.ts';
import { LineSplitter } from '../../system/files/line-splitter.ts';
import { consoleText, leftUnread, lostWords, type ConsoleLog } from './console-log.ts';

/**
 * Reads what an earlier guest left, by what the file is: the config may have named another VM program then. Nothing is left
 * where {@link forget} was called. The file is gone afterwards.
 */
export function rescue(path: string, log: ConsoleLog, at: number): void {
  const bytes = readEnd(path);
  forget(path);
  if (bytes === undefined) return;
  const known = log.lastOfBoot();
  const unread =
    bytes.length === ringBytes
      ? unreadInRing(bytes, lastBytes(known, ringBytes))
      : { isLost: false, lines: unreadInFile(linesOf(bytes), known) };
  if (unread.lines.length === 0) return;
  log.mark(at, leftUnread);
  if (unread.isLost) log.mark(at, lostWords());
  log.append(unread.lines.map((text) => ({ at, text })));
}

/** All of the file was read. Removed, not emptied: who still has it mapped would crash at what is no longer there. */
export const forget = (path: string): void => discard(path);

function linesOf(bytes: Buffer): string[] {
  const splitter = new LineSplitter();
  return [...splitter.push(bytes), ...splitter.end()].map(consoleText);
}

/** The last lines that so many bytes of a console may have given; each gives one character at most, or a line's end. */
function lastBytes(texts: readonly string[], bytes: number): readonly string[] {
  let from = texts.length;
  for (let left = bytes; from > 0 && left > 0; from--) left -= (texts[from - 1]?.length ?? 0) + 1;
  return texts.slice(from);
}

/** What stands behind the known lines in a file that grows. */
function unreadInFile(texts: readonly string[], known: readonly string[]): readonly string[] {
  return texts.slice(endOfKnown(texts, known).end);
}

interface Unread {
  /** Oldest first; where nothing shows where the ring begins, as they stand in it. */
  readonly lines: readonly string[];
  /** There was more before them, which was overwritten. */
  readonly isLost: boolean;
}

/** So many known lines in a row are no chance. */
const knownLines = 5;

/**
 * A ring's lines that are not in the log. A ring has no mark where it begins: the unread begin behind the last known lines and go
 * on, round the end, to where older known lines begin again. The line before those is the rest of one that was half overwritten.
 */
export function unreadInRing(ring: Buffer, known: readonly string[]): Unread {
  const isRound = ring.at(-1) !== 0;
  const texts = linesOf(isRound ? fromLineOn(ring) : ring);
  const twice = isRound ? [...texts, ...texts] : texts;
  const { end, count } = endOfKnown(twice, known, texts.length);
  if (!isRound) return { lines: texts.slice(end), isLost: false };
  const unread = twice.slice(end % texts.length).slice(0, texts.length - count);
  const rest = unread.at(-1);
  const overwritten = known.at(-1 - count);
  const isRest = count > 0 && rest !== undefined && overwritten?.endsWith(rest) === true;
  const isJoined = isRest || count >= Math.min(knownLines, Math.max(1, known.length));
  if (!isJoined) return { lines: texts, isLost: known.length > 0 };
  return { lines: isRest ? unread.slice(0, -1) : unread, isLost: false };
}

/** A full ring, turned so that its own end cuts no line in two. */
function fromLineOn(ring: Buffer): Buffer {
  const start = ring.indexOf('\n') + 1;
  return Buffer.concat([ring.subarray(start), ring.subarray(0, start)]);
}

/**
 * Where the last known lines end among texts: behind the longest run of them, the first such place, of at most so many lines. 0 where
 * not even the last one is there.
 */
function endOfKnown(
  texts: readonly string[],
  known: readonly string[],
  most = texts.length,
): { readonly end: number; readonly count: number } {
  const wanted = known.slice(-most).reverse();
  const runs = commonPrefixes([...wanted, undefined, ...texts.toReversed()]).slice(
    wanted.length + 1,
  );
  let best = { end: 0, count: 0 };
  for (const [n, count] of runs.entries())
    if (count > 0 && count >= best.count) best = { end: texts.length - n, count };
  return best;
}

/** For each place the length of the longest run there that is also the beginning of all (the Z function). */
function commonPrefixes(all: readonly (string | undefined)[]): number[] {
  const lengths = all.map(() => 0);
  let [from, to] = [0, 0];
  for (let at = 1; at < all.length; at++) {
    let length = at < to ? Math.min(to - at, lengths[at - from] ?? 0) : 0;
    while (at + length < all.length && all[length] === all[at + length]) length++;
    lengths[at] = length;
    if (at + length > to) [from, to] = [at, at + length];
  }
  return lengths;
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
