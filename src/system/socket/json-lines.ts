/** One JSON value a line over a socket: how QMP, the guest agent and our control socket all talk. */
import type { Socket } from 'node:net';
import { refusal } from '../files/reasons.ts';
import { plainText } from '../plain-text.ts';

/** Who takes what comes, and what is too much. */
export interface JsonLinesOptions {
  /** Takes a value. What it throws ends the connection and nothing else: the peer may have been after that. */
  readonly onValue: (value: unknown) => void;
  /** Something came that is no JSON line; it was dropped. Says what, shortened. */
  readonly onBroken?: (problem: string) => void;
  /** The connection ended: once, and not after close(). */
  readonly onClosed?: (why: string) => void;
  /** A longer line is dropped whole. Default 1 MiB. */
  readonly maxLineBytes?: number;
  /** A line with arrays and objects further inside each other is dropped whole. Default 32. */
  readonly maxDepth?: number;
  /** A peer that leaves more than this unread is cut off. Default 4 MiB. */
  readonly maxUnreadBytes?: number;
}

const mostPieces = 1024;
const newline = 0x0a;
/** Never part of UTF-8: the guest agent's protocol uses it as "forget what came before". */
const reset = 0xff;

/** Speaks JSON lines on a connected socket, which it owns from now on. Whatever comes in, it does not throw. */
export class JsonLines {
  readonly #socket: Socket;
  readonly #options: JsonLinesOptions;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #tooLong = false;
  #closed = false;
  /** Nothing more is taken from this peer. */
  #isRefused = false;

  constructor(socket: Socket, options: JsonLinesOptions) {
    this.#socket = socket;
    this.#options = options;
    let problem: string | undefined;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#endLine());
    socket.on('error', (error) => (problem = refusal(error)));
    socket.on('close', () => {
      if (this.#closed) return;
      this.#closed = true;
      options.onClosed?.(problem ?? 'the other end closed the connection');
    });
  }

  /** Sends one value. False when the connection is gone, or was cut now because nobody reads at the other end. */
  send(value: unknown): boolean {
    return this.write(`${JSON.stringify(value)}\n`);
  }

  /** Sends bytes that are not JSON, for protocols that have such. */
  write(data: string | Uint8Array): boolean {
    if (this.#closed || this.#socket.destroyed) return false;
    this.#socket.write(data);
    if (this.#socket.writableLength <= (this.#options.maxUnreadBytes ?? 4 * 1024 * 1024))
      return true;
    this.#socket.destroy(new Error('the other end does not read what is sent'));
    return false;
  }

  /** Sends what is still to be sent, then ends the connection. Nothing is reported after it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroySoon();
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length && !this.#closed; at++) {
      const byte = chunk[at];
      if (byte !== newline && byte !== reset) continue;
      this.#keep(chunk.subarray(from, at));
      from = at + 1;
      if (byte === newline) this.#endLine();
      else this.#forget();
    }
    this.#keep(chunk.subarray(from));
  }

  #keep(part: Buffer): void {
    if (part.length === 0 || this.#tooLong) return;
    this.#lineBytes += part.length;
    this.#tooLong = this.#lineBytes > (this.#options.maxLineBytes ?? 1024 * 1024);
    if (this.#tooLong) this.#line = [];
    else this.#line.push(part);
    // A peer that sends single bytes is not to cost a hundred times what it says.
    if (this.#line.length > mostPieces) this.#line = [Buffer.concat(this.#line)];
  }

  #endLine(): void {
    const text = Buffer.concat(this.#line).toString('utf8').trim();
    const tooLong = this.#tooLong;
    this.#forget();
    if (this.#closed || this.#isRefused) return;
    if (tooLong) return this.#options.onBroken?.('a line that is too long');
    if (text === '') return;
    const isDeep = depthOf(text) > (this.#options.maxDepth ?? 32);
    if (isDeep) return this.#options.onBroken?.('a value that is nested too deeply');
    const parsed = parse(text);
    if (parsed.ok) this.#give(parsed.value);
    else this.#options.onBroken?.(`not JSON: ${plainText(JSON.stringify(text.slice(0, 80)))}`);
  }

  #give(value: unknown): void {
    try {
      this.#options.onValue(value);
    } catch (error) {
      this.#isRefused = true;
      this.#socket.destroy(
        new Error(`the message of the other end could not be handled (${String(error)})`),
      );
    }
  }

  #forget(): void {
    this.#line = [];
    this.#lineBytes = 0;
    this.#tooLong = false;
  }
}

function parse(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false };
  }
}

/**
 * How many arrays and objects stand inside each other at most. V8 parses any depth, and then JSON.stringify, comparing and printing
 * end in a RangeError at some thousands.
 */
function depthOf(text: string): number {
  let [depth, deepest, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth--;
  }
  return deepest;
}

/** A value as a record whose fields can be asked for, or an empty one. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
