/** What is shown to whoever called, and the one process.exit: after all of it has arrived. */
import { shownLine, type Look } from './command/terminal.ts';
import { errorCode, Exit, interruptedExit, type Failure } from './system/failure.ts';
import { refusal } from './system/files/reasons.ts';
import type { StopSignal } from './system/process/signals.ts';

/** Errors of a stream whose reader went away, as that of `| head` does: no fault. */
const readerGone: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']);

/** Where lines go, and the way out of the process. */
export interface Outlets {
  readonly out: (line: string, look?: Look) => void;
  readonly err: (line: string) => void;
  /** Aborts when nothing more can be shown. */
  readonly unread: AbortSignal;
  /** Leaves with this exit code when all has been read, or a stop signal comes. */
  leave(code: number, onStopSignal: (listener: (name: StopSignal) => void) => void): void;
}

/** Standard output and error. A pipe takes some 64 KiB; what is beyond that waits in the process for whoever reads. */
export function openOutlets(): Outlets {
  const unread = new AbortController();
  const err = (line: string) => void process.stderr.write(`${shownLine(line)}\n`);
  let unwritten: string | undefined;
  process.stdout.on('error', (error) => {
    const code = errorCode(error) ?? String(error);
    if (!readerGone.has(code)) unwritten ??= code;
    unread.abort(new Error(code));
  });
  process.stderr.on('error', () => undefined);
  return {
    out: (line, look) => void process.stdout.write(`${shownLine(line, look)}\n`),
    err,
    unread: unread.signal,
    leave: (code, onStopSignal) => {
      onStopSignal(() => process.exit(process.stdout.writableLength > 0 ? interruptedExit : code));
      void drained(process.stdout)
        .then(() => {
          if (unwritten !== undefined) err(unwrittenWords(unwritten));
          return drained(process.stderr);
        })
        .then(() =>
          process.exit(code === Exit.ok && unwritten !== undefined ? Exit.ioError : code),
        );
    },
  };
}

/** Of a command that waits for nothing any more and is not at its end. */
export const unfinished: Failure = {
  kind: 'bug',
  message: 'This command stopped before it was finished.',
  hint: 'This is a bug in linuxkit-builder. Please report it, with the command that you ran.',
  exit: Exit.software,
};

/** What is said where standard output takes no more. */
export const unwrittenWords = (code: string): string =>
  `linuxkit-builder: Cannot write to standard output: ${refusal(code)}.`;

/** Resolves when all that was written has gone, or can go nowhere. */
const drained = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((done) => stream.write('', () => done()));
