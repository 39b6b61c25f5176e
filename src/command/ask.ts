/** A question whose answer is yes or no; anything but yes is no. */
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { terminalText } from '../system/plain-text.ts';

interface AskOptions {
  readonly signal: AbortSignal;
  readonly input?: Readable;
  readonly output?: Writable;
}

/** True for `y` and `yes`. The end of the input is no. */
export async function isYes(question: string, options: AskOptions): Promise<boolean> {
  const { signal, input = process.stdin, output = process.stderr } = options;
  const lines = createInterface({ input, output });
  const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([
      lines.question(`${terminalText(question)} [y/N] `, { signal }),
      ended,
    ]);
    return /^\s*y(es)?\s*$/i.test(answer);
  } finally {
    lines.close();
  }
}
