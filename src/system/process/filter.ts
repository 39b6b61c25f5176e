/** Commands as stages of a stream: bytes in, bytes out. Knows execa, as child.ts does, for what child.ts has no use for: pipes. */
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { endOf, type CommandResult, type RunOptions } from './child.ts';

/** A filter that runs. Nothing is kept of its output but the words on stderr. */
interface FilterCommand {
  readonly output: Readable;
  /** Settles once, never rejects; `stdout` is empty. */
  readonly ended: Promise<CommandResult>;
}

/** Starts a filter. An input that fails ends the command; a command that ends early ends the input. */
export function spawnFilter(
  program: string,
  argv: readonly string[],
  input: Readable | Uint8Array,
  options: Pick<RunOptions, 'signal' | 'env'> = {},
): FilterCommand {
  const child = execa(program, [...argv], {
    input,
    encoding: 'buffer',
    buffer: { stdout: false, stderr: true },
    reject: false,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.env === undefined ? {} : { env: { ...options.env }, extendEnv: false }),
  });
  const ended = child.then((result) => ({
    ended: endOf(result),
    stdout: '',
    stderr: Buffer.from(result.stderr).toString('utf8'),
  }));
  return { output: child.stdout, ended };
}
