import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { isSetUp, notSetUp } from '../../config/not-set-up.ts';
import { label } from '../../service/launchd/launch-agent.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { unitName } from '../../service/systemd/systemd-unit.ts';
import { traitsOf, type PhaseTraits } from '../../supervisor/lifecycle/phases.ts';
import type { Found } from '../../supervisor/status/status.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { readIfThere } from '../../system/files/files.ts';
import {
  directoryOption,
  layoutFor,
  movesCursor,
  type CliContext,
  type DirectoryOption,
  untilUnread,
} from '../../command/context.ts';
import { liveFactsOf, reportOf, statusIn } from './live-facts.ts';
import type { LiveFacts } from './report-schema.ts';
import type { Screen } from './status-screen.ts';
import type { Look } from '../../command/terminal.ts';

interface StatusOptions extends DirectoryOption {
  readonly json?: boolean;
  readonly watch?: boolean;
}

/**
 * `status`: what the daemon says of itself, or said last. Exit 0 while a daemon lives and has not given up; the failure's own code
 * when it has, as `wait`; 69 without one.
 */
export function statusVerb(program: Command, context: CliContext): void {
  program
    .command('status')
    .description('show the current state, and the reason for it')
    .option(...directoryOption)
    .option('--json', 'print the complete status as JSON')
    .option('-w, --watch', 'keep updating until interrupted')
    .action(async (options: StatusOptions) => {
      const layout = layoutFor(options, context, 'look');
      const { findStatus } = await import('../../client/found.ts');
      const findLiveFacts = liveFactsOf(layout, context);
      const show = async (): Promise<Found> => {
        const found = await findStatus(layout, context);
        // While the guest thinks about it, the rest is found.
        const asked = findLiveFacts(found);
        const lines =
          options.json === true
            ? [JSON.stringify(reportOf(found, await asked))]
            : await screenLines(found, asked, layout, context);
        const over = options.watch === true && options.json !== true && isTerminal(context);
        paint(lines, { ...(options.json === true ? {} : lookOf(found, context)), over }, context);
        return found;
      };
      const found = options.watch === true ? await watch(show, layout, context) : await show();
      context.exit(exitOf(found));
    });
}

function exitOf(found: Found): number {
  if (found.daemon === 'gone') return Exit.unavailable;
  const { phase, because } = found.status;
  return traitsOf(phase).builds === 'never' ? (because?.exit ?? Exit.unavailable) : Exit.ok;
}

const everyMs = 500;

/** Shows it again and again: on a terminal the screen anew, elsewhere a record for each change. */
async function watch(
  show: () => Promise<Found>,
  layout: Layout,
  context: CliContext,
): Promise<Found> {
  const { clock } = context;
  const signal = untilUnread(context);
  const { findStatus } = await import('../../client/found.ts');
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
function lookOf(found: Found, context: CliContext): Look {
  if (!isTerminal(context) || (context.env['NO_COLOR'] ?? '') !== '') return {};
  if (found.daemon === 'gone' || !found.heard) return { color: 'red' };
  const { phase, sentence } = found.status;
  return { color: colors[traitsOf(phase).builds], length: sentence.length };
}

const colors = {
  now: 'green',
  'on-demand': 'green',
  never: 'red',
  soon: 'yellow',
  'held-up': 'yellow',
  ended: 'yellow',
} as const satisfies Record<PhaseTraits['builds'], Look['color']>;

async function screenLines(
  found: Found,
  asked: Promise<LiveFacts>,
  layout: Layout,
  context: CliContext,
): Promise<string[]> {
  const { aliveLines, goneLines } = await import('./status-screen.ts');
  const job = await jobOf(layout, context);
  const screen: Omit<Screen, 'beside'> = {
    now: context.clock.now(),
    version: context.version,
    // Lines in a pipe are not broken.
    width: process.stdout.isTTY ? process.stdout.columns : Infinity,
    job,
    known: await knownOf(found, job),
    stranger: await strangerIn(layout, context),
    notSetUp: isSetUp(layout) ? undefined : notSetUp(layout),
  };
  if (found.daemon === 'gone') return goneLines(found.last, { ...screen, beside: await asked });
  const start = await startOf(found.status, layout);
  return aliveLines(found.status, { ...screen, start, beside: await asked });
}

/** Asked only where configure has told launchd or systemd of the daemon. */
async function jobOf(layout: Layout, context: CliContext): Promise<Screen['job']> {
  // What talks to launchd and systemd is slow to load, and mostly there is no job: a receipt would say so.
  const receipts = knownOrNot(() => readIfThere(layout.receipts)) ?? '';
  if (!/\/LaunchAgents\/|\/systemd\/user\//.test(receipts) && !mayHaveJob(context))
    return undefined;
  try {
    const { serviceFor } = await import('../../service/service.ts');
    const service = serviceFor(layout, context);
    if (service === undefined) return undefined;
    const { name, starts, declared } = service;
    const { restartCommand } = await import('../../service/declared-job.ts');
    const restart = declared && restartCommand(declared, process.getuid?.() ?? 0);
    const whose = declared && { by: declared.by, restart: restart ?? '' };
    return { name, starts, ...(whose && { whose }), ...(await service.state()) };
  } catch {
    // It is a fact beside the others: `doctor` says what is wrong with it.
    return undefined;
  }
}

/** A job of the system's, or one that somebody else declared, has no receipt. */
function mayHaveJob({ env }: CliContext): boolean {
  const tree = env['LINUXKIT_BUILDER_TREE'] ?? '';
  const { home } = systemPathsOf(tree);
  const files =
    process.platform === 'darwin' || env['LINUXKIT_BUILDER_SERVICE'] === 'launchd'
      ? [join(tree, '/Library/LaunchDaemons'), join(home, 'Library/LaunchAgents')].map((folder) =>
          join(folder, `${label}.plist`),
        )
      : [join(tree, '/etc/systemd/system'), join(home, '.config/systemd/user')].map((folder) =>
          join(folder, unitName),
        );
  return files.some((path) => existsSync(path));
}

async function startOf({ phase }: Status, layout: Layout): Promise<Screen['start']> {
  if (traitsOf(phase).guest !== 'comes') return undefined;
  const { bootsOf } = await import('../../command/boot-logs.ts');
  const { usualMs } = await import('../../supervisor/status/boots.ts');
  const boots = knownOrNot(() => bootsOf(layout)) ?? [];
  const current = boots.at(-1);
  return current && { begun: Date.parse(current.begun), usualMs: usualMs(boots.slice(0, -1)) };
}

/** A fact beside the others: whoever may ask the daemon, as its group, may not read all of its files. */
function knownOrNot<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return undefined;
  }
}

async function strangerIn(layout: Layout, context: CliContext): Promise<string | undefined> {
  const { notRegistered } = await import('../../nix/registration.ts');
  return notRegistered(layout, context);
}

/** What others have reported of the trouble; of a job that launchd could not run too, where that is all that is known. */
async function knownOf(found: Found, job: Screen['job']): Promise<readonly string[]> {
  const status = statusIn(found);
  const trouble = status?.because ?? status?.last;
  if (trouble?.known !== undefined) return [trouble.known];
  const exitCode = found.daemon === 'gone' && job?.name === 'launchd' ? job.exitCode : undefined;
  if (trouble === undefined && exitCode === undefined) return [];
  const { describeFault, recognise } = await import('../../domain/recognise.ts');
  const { systemVersion } = await import('../../system/host/host.ts');
  const said = trouble === undefined ? [] : [trouble.message, ...(trouble.lines ?? [])];
  const ofJob = exitCode === undefined ? {} : { program: 'launchctl' as const, exitCode };
  const faults = [{ said }, { said: [], ...ofJob }].flatMap((seen) =>
    recognise({ ...seen, ...systemVersion() }),
  );
  return faults.slice(0, 1).map(describeFault);
}
