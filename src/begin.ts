/** Builds the real world and runs one command line in it. */
// Before all else: a stop during start-up is remembered from here on.
import { plainly } from './system/advice.ts';
import { onStopSignal } from './system/process/signals.ts';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failureLines } from './command/say.ts';
import { openOutlets, unfinished, type Outlets } from './leave.ts';
import { systemClock } from './system/time/clock.ts';
import { usablePath } from './system/process/find-program.ts';
import { failureOf, type Failure } from './system/failure.ts';
import { homeOf } from './system/host/user.ts';

/**
 * What a shell hands down and no command can do with: a umask that takes our own files from us, no PATH by which we and what we start find
 * programs, and a directory that is not there any more, in which no program starts.
 */
function settleIn(): void {
  process.umask(process.umask(0o077) & 0o077);
  process.env['PATH'] = usablePath(process.env['PATH']);
  try {
    process.cwd();
  } catch {
    // It was deleted under the shell.
    process.chdir('/');
  }
}

/** Leaves with the command's exit code when it is over and what it said has been read. */
export function begin(argv: readonly string[]): void {
  settleIn();
  const outlets = openOutlets();
  let isOver = false;
  const leave = (code: number) => {
    isOver = true;
    outlets.leave(code, onStopSignal);
  };
  const fail = (failure: Failure) => {
    for (const line of failureLines(failure)) outlets.err(plainly(line));
    leave(failure.exit);
  };
  // Node ends with 0 when nothing is left that could happen, whatever is still awaited.
  process.on('beforeExit', () => {
    if (!isOver) fail(unfinished);
  });
  perform(argv, outlets).then(leave, (thrown: unknown) => fail(failureOf(thrown)));
}

async function perform(argv: readonly string[], outlets: Outlets): Promise<number> {
  const interrupted = new AbortController();
  onStopSignal((name) => interrupted.abort(new Error(name)));
  // dist/main.js and src/begin.ts are both one folder below the package's.
  const assets = dirname(dirname(fileURLToPath(import.meta.url)));
  const { version } = JSON.parse(readFileSync(`${assets}/package.json`, 'utf8')) as {
    version: string;
  };
  const { run } = await import('./cli/program.ts');
  return run(
    argv,
    {
      env: process.env,
      home: homeOf(process.env),
      assets,
      out: outlets.out,
      err: outlets.err,
      isTTY: process.stderr.isTTY,
      signal: interrupted.signal,
      unread: outlets.unread,
      clock: systemClock,
      onStopSignal,
    },
    version,
  );
}
