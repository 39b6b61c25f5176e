/** `console` and `logs`: what the guest and the daemon have written, and what they write on. */
import type { Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { isSetUp, setUpHint } from '../../config/not-set-up.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { plainText } from '../../system/plain-text.ts';
import { RotatedLog } from '../../system/files/rotated-log.ts';
import { wholeFrom } from '../../command/option-values.ts';
import {
  directoryOption,
  layoutFor,
  untilUnread,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { advice, ours } from '../../system/advice.ts';

/** A line of the file as it is shown. */
type Render = (line: string) => string;

interface FollowFlags extends DirectoryOption {
  readonly follow?: boolean;
  readonly lines: number;
  readonly json?: boolean;
}

/** `console`: the log of the guest's console, as it is. */
export function consoleCommand(command: Command, context: CliContext): void {
  follower(command).action(async (options: FollowFlags) => {
    const layout = layoutFor(options, context, 'look');
    await show(layout, layout.consoleLog, { options, context, render: (line) => line });
  });
}

/** `logs`: the daemon's log, each record as a sentence. */
export function logsCommand(command: Command, context: CliContext): void {
  follower(command)
    .option('--json', 'print the lines as they are in the file')
    .action(async (options: FollowFlags) => {
      const layout = layoutFor(options, context, 'look');
      const render = options.json === true ? (line: string) => line : readable;
      await show(layout, layout.log, { options, context, render });
    });
}

const follower = (command: Command): Command =>
  command
    .option(...directoryOption)
    .option('-f, --follow', 'keep printing new lines until interrupted')
    .option('-n, --lines <count>', 'number of lines to start with', wholeFrom(0), 200);

interface Shown {
  readonly options: FollowFlags;
  readonly context: CliContext;
  readonly render: Render;
}

async function show(layout: Layout, path: string, { options, context, render }: Shown) {
  const { lines: count } = options;
  const log = new RotatedLog(path);
  const first = log.lines();
  if (!log.isThere) throw new Failed(nothingWritten(layout, path));
  // Without -f the last line is shown as it is; with it, when it is whole.
  if (options.follow !== true) first.push(...log.end());
  for (const line of count === 0 ? [] : first.slice(-count)) context.out(render(line));
  if (options.follow === true) await goOn(log, context, render);
}

/** Soon enough for a person who reads along. */
const pollMs = 200;

/** Shows what comes, until interrupted or until nobody reads it. */
async function goOn(log: RotatedLog, context: CliContext, render: Render): Promise<void> {
  const { clock } = context;
  const signal = untilUnread(context);
  while (!signal.aborted) {
    await clock.sleep(pollMs, signal).catch(() => undefined);
    for (const line of log.lines()) context.out(render(line));
  }
  for (const line of log.end()) context.out(render(line));
}

const nothingWritten = (layout: Layout, path: string): Failure => ({
  kind: 'nothing-written',
  message: `${path} does not exist: the builder has not been started yet.`,
  ...(isSetUp(layout)
    ? { hint: advice`Start it: ${ours('start')}` }
    : { hint: setUpHint, needsSetUp: true as const }),
  exit: Exit.noInput,
});

/** A line of the log for a person: time, event, its fields. */
function readable(line: string): string {
  try {
    const { time, level, event, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const shown = Object.entries(rest)
      .filter(([key]) => key !== 'pid')
      // Others' words among them: of these none shall look like a line of its own.
      .map(
        ([key, value]) =>
          `${key}=${plainText(typeof value === 'string' ? value : JSON.stringify(value))}`,
      );
    const words = [
      String(time).slice(11, 23),
      level === 'info' ? '' : String(level).toUpperCase(),
      String(event),
      ...shown,
    ];
    return words.filter((word) => word !== '').join(' ');
  } catch {
    // A line that is no record of ours is shown as it is.
    return line;
  }
}
