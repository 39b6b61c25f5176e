/** The decoded console over many boots: one line of the guest a line, with its time. Only ever appended to. */
import { appendFileSync } from 'node:fs';
import { errorCode, Failed } from '../../system/failure.ts';
import { readIfThere, sizeIfThere } from '../../system/files/files.ts';
import { rotate } from '../../system/log.ts';
import { plainText } from '../../system/plain-text.ts';

/** One line that the guest wrote, without control characters. */
export interface ConsoleLine {
  /** When it was read, wall time in ms since 1970. */
  readonly at: number;
  readonly text: string;
}

/** How much of the past is kept. */
export interface ConsoleLogOptions {
  /** Rotate when the file would become larger, in bytes. Default 2 MiB. */
  readonly maxBytes?: number;
  /** Old files kept as PATH.1 (newest) to PATH.N. Default 3. */
  readonly keep?: number;
}

/** A rotated file of console lines. What the disk does not take is lost; the daemon lives on. */
export class ConsoleLog {
  readonly #path: string;
  readonly #options: ConsoleLogOptions;

  constructor(path: string, options: ConsoleLogOptions = {}) {
    this.#path = path;
    this.#options = options;
  }

  append(lines: readonly ConsoleLine[]): void {
    if (lines.length === 0) return;
    this.#write(lines.map(({ at, text }) => `${time(at)} ${text}\n`).join(''));
  }

  /** A line of ours among the guest's: a boot begins, bytes were lost. */
  mark(at: number, words: string): void {
    this.#write(`${time(at)} === ${words} ===\n`);
  }

  /** The texts of the guest's lines since the last mark, oldest first, also when the log was rotated among them. */
  lastOfBoot(): string[] {
    const texts = [`${this.#path}.1`, this.#path].flatMap(textsOf);
    return texts.slice(texts.findLastIndex((text) => markPattern.test(text)) + 1);
  }

  #write(text: string): void {
    const { maxBytes = 2 * 1024 * 1024, keep = 3 } = this.#options;
    try {
      const size = sizeIfThere(this.#path) ?? 0;
      if (size > 0 && size + text.length > maxBytes) rotate(this.#path, keep);
      appendFileSync(this.#path, text, { mode: 0o600 });
    } catch (error) {
      // ENOSPC, EROFS...: said elsewhere, by those who cannot live with it.
      if (errorCode(error) === undefined) throw error;
    }
  }
}

function textsOf(path: string): string[] {
  try {
    const lines = (readIfThere(path) ?? '').split('\n').slice(0, -1);
    return lines.map((line) => line.slice(line.indexOf(' ') + 1));
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return [];
  }
}

/** How a line of ours looks; no line of the guest's does, see {@link consoleText}. */
const markPattern = /^=== .* ===$/;

const time = (at: number): string => new Date(at).toISOString();

/**
 * A console line as it may be shown anywhere: a guest must not be able to steer the terminal of who reads its log, nor to write
 * what looks like a line of ours there: such a line is moved in by a space.
 */
export function consoleText(line: string): string {
  const text = plainText(line);
  return markPattern.test(text) ? ` ${text}` : text;
}

/** The mark where the console had more than was read; undefined: nobody knows how much. */
export const lostWords = (atLeastBytes?: number): string =>
  atLeastBytes === undefined ? 'some bytes lost' : `at least ${atLeastBytes} bytes lost`;

/** The mark before what an earlier daemon did not live to read. */
export const leftUnread = 'output of the previous boot, read afterwards';
