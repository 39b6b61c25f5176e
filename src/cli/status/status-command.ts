/** `status`: how it is called, and how its answer is shown. */
import type { Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { traitsOf, type PhaseTraits } from '../../supervisor/lifecycle/phases.ts';
import type { FoundStatus } from '../../supervisor/status/status.ts';
import { textFor } from '../../system/advice.ts';
import { Exit } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  movesCursor,
  type CliContext,
  type DirectoryOption,
  untilUnread,
} from '../../command/context.ts';
import { liveFactsOf, reportOf } from './live-facts.ts';
import type { Look } from '../../command/terminal.ts';
import { findStatus } from '../../client/found.ts';
import { screenOf } from './screen-facts.ts';

interface StatusOptions extends DirectoryOption {
  readonly json?: boolean;
  readonly watch?: boolean;
}

/**
 * `status`: what the daemon says of itself, or said last. Exit 0 while a daemon lives and has not given up; the failure's own code
 * when it has, as `wait`; 69 without one.
 */
export function statusCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('--json', 'print the complete status as JSON')
    .option('-w, --watch', 'keep updating until interrupted')
    .action(async (options: StatusOptions) => {
      const layout = layoutFor(options, context, 'look');
      const findLiveFacts = liveFactsOf(layout, context);
      const show = async (): Promise<FoundStatus> => {
        const found = await findStatus(layout, context);
        // While the guest thinks about it, the rest is found.
        const asked = findLiveFacts(found);
        const lines =
          options.json === true
            ? [JSON.stringify(reportOf(found, await asked))]
            : await screenOf(found, asked, layout, context);
        const over = options.watch === true && options.json !== true && isTerminal(context);
        paint(lines, { ...(options.json === true ? {} : lookOf(found, context)), over }, context);
        return found;
      };
      const found = options.watch === true ? await watch(show, layout, context) : await show();
      context.exit(exitOf(found));
    });
}

function exitOf(found: FoundStatus): number {
  if (found.daemon === 'gone') return Exit.unavailable;
  const { phase, because } = found.status;
  return traitsOf(phase).builds === 'never' ? (because?.exit ?? Exit.unavailable) : Exit.ok;
}

/** How often the status is looked at: soon enough for a person who watches. */
const everyMs = 500;

/** Shows it again and again: on a terminal the screen anew, elsewhere a record for each change. */
async function watch(
  show: () => Promise<FoundStatus>,
  layout: Layout,
  context: CliContext,
): Promise<FoundStatus> {
  const { clock } = context;
  const signal = untilUnread(context);
  let found = await show();
  let shown = JSON.stringify(found);
  for (;;) {
    let now: string;
    try {
      await clock.sleep(everyMs, signal);
      now = JSON.stringify(await findStatus(layout, { clock, signal }));
    } catch (error) {
      if (!signal.aborted) throw error;
      return found;
    }
    if (now === shown && !isTerminal(context)) continue;
    shown = now;
    found = await show();
  }
}

/** stdout and stderr are one terminal, and it can move its cursor. */
const isTerminal = (context: CliContext): boolean => process.stdout.isTTY && movesCursor(context);

function paint([first = '', ...lines]: readonly string[], look: Look, context: CliContext): void {
  if (look.over === true) return context.out([first, ...lines].join('\n'), look);
  context.out(first, look);
  for (const line of lines) context.out(line);
}

/** What stands first is in a colour that says how it is, where the terminal has colours and its user wants them. */
function lookOf(found: FoundStatus, context: CliContext): Look {
  if (!isTerminal(context) || (context.env['NO_COLOR'] ?? '') !== '') return {};
  if (found.daemon === 'gone' || !found.heard) return { color: 'red' };
  const { phase, sentence } = found.status;
  return {
    color: colors[traitsOf(phase).builds],
    length: textFor(sentence, context.directory).length,
  };
}

const colors = {
  now: 'green',
  'on-demand': 'green',
  never: 'red',
  soon: 'yellow',
  'held-up': 'yellow',
  ended: 'yellow',
} as const satisfies Record<PhaseTraits['builds'], Look['color']>;
