/** Builds the real world and runs one command line in it. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shownLine } from './cli/terminal.ts';
import { systemClock } from './system/clock.ts';
import type { StopSignal } from './system/signals.ts';

type OnStopSignal = (listener: (name: StopSignal) => void) => void;

/** Leaves with the verb's exit code when it is over. */
export function begin(argv: readonly string[], onStopSignal: OnStopSignal): void {
  void perform(argv, onStopSignal).then((code) => process.exit(code));
}

async function perform(argv: readonly string[], onStopSignal: OnStopSignal): Promise<number> {
  const interrupted = new AbortController();
  onStopSignal((name) => interrupted.abort(new Error(name)));
  // A reader that went away, as `| head` does, is no fault.
  const unread = new AbortController();
  process.stdout.on('error', () => unread.abort(new Error('nobody reads')));
  process.stderr.on('error', () => undefined);
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
      home: homedir(),
      assets,
      out: (line, look) => void process.stdout.write(`${shownLine(line, look)}\n`),
      err: (line) => void process.stderr.write(`${shownLine(line)}\n`),
      isTTY: process.stderr.isTTY,
      signal: interrupted.signal,
      unread: unread.signal,
      clock: systemClock,
      onStopSignal,
    },
    version,
  );
}
