/** One conversation with whoever answers at the other end of a command, who may be a nix daemon. */
import { PassThrough } from 'node:stream';
import type { CommandResult, RunOptions } from '../../system/process/child.ts';
import { spawnFilter } from '../../system/process/filter.ts';
import type { Clock } from '../../system/time/clock.ts';
import { question } from './nix-question.ts';

interface Conversation<A> extends Pick<RunOptions, 'env'> {
  /** Is given all that comes; the answer, once that is whole. */
  readonly take: (chunk: Buffer) => A | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Ends it by rejecting with the signal's reason. */
  readonly signal: AbortSignal;
}

/** Asks, and keeps the line open until an answer comes, since a daemon whose input ends says nothing; or until the command's own end. */
export async function askNix<A>(
  [program = '', ...argv]: readonly string[],
  { take, timeoutMs, clock, signal, env }: Conversation<A>,
): Promise<A | 'late' | CommandResult> {
  const over = new AbortController();
  const scope = AbortSignal.any([signal, over.signal]);
  try {
    const input = new PassThrough();
    // ssh may end before it has read this.
    input.on('error', () => undefined);
    input.write(question);
    const { output, ended } = spawnFilter(program, argv, input, {
      signal: scope,
      ...(env === undefined ? {} : { env }),
    });
    const answered = new Promise<A>((resolve) =>
      output.on('data', (chunk: Buffer) => {
        const answer = take(chunk);
        if (answer !== undefined) resolve(answer);
      }),
    );
    const late = clock.sleep(timeoutMs, scope).then(
      () => 'late' as const,
      () => 'late' as const,
    );
    const first = await Promise.race([answered, ended, late]);
    signal.throwIfAborted();
    return first;
  } finally {
    over.abort(new Error('the conversation is over'));
  }
}
