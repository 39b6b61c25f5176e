/** `console` and `logs`: what the guest and the daemon have written, and what they write on. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Exit, Failed, errorCode } from '../system/failure.ts';
import { directoryOption, layoutFor, type CliContext, type DirectoryOption } from './context.ts';

interface FollowOptions extends DirectoryOption {
  readonly follow?: boolean;
  readonly lines: string;
  readonly json?: boolean;
}

export function consoleVerb(program: Command, context: CliContext): void {
  follower(program, context, 'console', "the guest's console, over all its boots").action(
    async (options: FollowOptions) => {
      const layout = layoutFor(options, context);
      await show(layout.consoleLog, options, context, (line) => line);
    },
  );
}

export function logsVerb(program: Command, context: CliContext): void {
  follower(program, context, 'logs', "the daemon's log")
    .option('--json', 'the lines as they are in the file')
    .action(async (options: FollowOptions) => {
      const layout = layoutFor(options, context);
      await show(layout.log, options, context, options.json === true ? (line) => line : readable);
    });
}

const follower = (program: Command, _context: CliContext, name: string, what: string): Command =>
  program
    .command(name)
    .description(`show ${what}`)
    .option(...directoryOption)
    .option('-f, --follow', 'go on as it grows, until interrupted')
    .option('-n, --lines <count>', 'begin with so many of the last lines', '200');

async function show(
  path: string,
  options: FollowOptions,
  context: CliContext,
  render: (line: string) => string,
): Promise<void> {
  const text = readOrFail(path);
  const count = Number(options.lines);
  if (!Number.isSafeInteger(count) || count < 0) throw new Failed(badCount(options.lines));
  const lines = text.split('\n').slice(0, -1);
  for (const line of count === 0 ? [] : lines.slice(-count)) context.out(render(line));
  if (options.follow !== true) return;
  const { Tail, LineSplitter } = await import('../system/tail.ts');
  const splitter = new LineSplitter();
  let shown = Buffer.byteLength(text);
  const onBytes = (chunk: Buffer) => {
    const fresh = chunk.subarray(Math.min(shown, chunk.length));
    shown -= Math.min(shown, chunk.length);
    for (const line of splitter.push(fresh)) context.out(render(line));
  };
  // The file is not ours to empty; when it is rotated away the new one is shown from its start.
  const all = { maxBytes: Infinity, maxBacklogBytes: Infinity };
  const tail = new Tail({ path, clock: context.clock, pollMs: 200, onBytes, ...all });
  await new Promise<void>((resolve) =>
    context.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  await tail.stop();
}

const badCount = (value: string) => ({
  kind: 'bad-option',
  message: `--lines takes a whole number from 0 on, not ${JSON.stringify(value)}.`,
  hint: 'For example: --lines 50.',
  exit: Exit.usage,
});

function readOrFail(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw new Failed({
      kind: 'nothing-written',
      message: `There is no ${path}: nothing has run here so far.`,
      hint: 'Start it: linuxkit-builder start.',
      exit: Exit.noInput,
    });
  }
}

/** A line of the log for a person: time, event, its fields. */
function readable(line: string): string {
  try {
    const { time, level, event, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const shown = Object.entries(rest)
      .filter(([key]) => key !== 'pid')
      .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    const words = [
      String(time).slice(11, 23),
      level === 'info' ? '' : String(level).toUpperCase(),
      String(event),
      ...shown,
    ];
    return words.filter((word) => word !== '').join(' ');
  } catch {
    return line;
  }
}
