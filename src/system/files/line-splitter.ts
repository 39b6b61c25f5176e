/** Lines of text from bytes that come in any pieces. */

/** Where a line was cut because it was too long. */
export const cutMark = ' [cut]';

/**
 * Bytes -> lines of text. A line ends with \n, \r\n or a lone \r, where a terminal begins the line again. NULs are
 * dropped, what is not UTF-8 becomes U+FFFD, a long line is cut at maxLineBytes and its rest dropped.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #cut = false;
  #afterReturn = false;

  constructor(maxLineBytes = 4096) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that these bytes complete; a cut line is complete as soon as it is too long. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte !== newline && byte !== carriageReturn && byte !== 0) continue;
      this.#keep(chunk.subarray(from, at), lines);
      from = at + 1;
      if (byte === 0) continue;
      // The \n of \r\n, and a \r at the start of a line, end nothing.
      const ended = byte === newline ? !this.#afterReturn : this.#lineBytes > 0;
      this.#afterReturn = byte === carriageReturn && (ended || this.#afterReturn);
      if (ended) lines.push(...this.end(true));
    }
    this.#keep(chunk.subarray(from), lines);
    return lines;
  }

  /** The last line, if it is without end (or in any case, when asked for an empty one too). */
  end(evenEmpty = false): string[] {
    const text = Buffer.concat(this.#line).toString('utf8');
    const cut = this.#cut;
    this.#line = [];
    this.#lineBytes = 0;
    this.#cut = false;
    return cut || (text === '' && !evenEmpty) ? [] : [text];
  }

  #keep(part: Uint8Array, lines: string[]): void {
    if (part.length === 0) return;
    this.#afterReturn = false;
    const room = this.#maxLineBytes - this.#lineBytes;
    this.#lineBytes += part.length;
    if (this.#cut) return;
    this.#line.push(Buffer.from(part.subarray(0, room)));
    if (part.length <= room) return;
    lines.push(Buffer.concat(this.#line).toString('utf8') + cutMark);
    this.#line = [];
    this.#cut = true;
  }
}

const newline = 0x0a;
const carriageReturn = 0x0d;
