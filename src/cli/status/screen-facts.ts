/** What stands on the status screen beside the record: the job, how far a start is, what others know of the trouble. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CliContext } from '../../command/context.ts';
import type { Layout } from '../../config/layout.ts';
import { isSetUp, notSetUp } from '../../config/not-set-up.ts';
import { setUpAdvice } from '../../host/for-everybody.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { label } from '../../service/launchd/launch-agent.ts';
import { unitName } from '../../service/systemd/systemd-unit.ts';
import { traitsOf } from '../../supervisor/lifecycle/phases.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import type { FoundStatus } from '../../supervisor/status/status.ts';
import { plainly, type Text } from '../../system/advice.ts';
import { Failed } from '../../system/failure.ts';
import { readIfThere } from '../../system/files/files.ts';
import { statusIn } from './live-facts.ts';
import type { LiveFacts } from './report-schema.ts';
import type { Screen } from './status-screen.ts';

/** Its lines. `asked`: what the guest and the disk are still being asked for. */
export async function screenOf(
  found: FoundStatus,
  asked: Promise<LiveFacts>,
  layout: Layout,
  context: CliContext,
): Promise<string[]> {
  const { aliveLines, goneLines } = await import('./status-screen.ts');
  const job = await jobOf(layout, context);
  const screen: Omit<Screen, 'live'> = {
    now: context.clock.now(),
    version: context.version,
    directory: context.directory,
    // Lines in a pipe are not broken.
    width: process.stdout.isTTY ? process.stdout.columns : Infinity,
    job,
    known: await knownOf(found, job),
    unregistered: await unregisteredIn(layout, context),
    notSetUp: isSetUp(layout) ? undefined : missing(layout, context),
  };
  if (found.daemon === 'gone') return goneLines(found.last, { ...screen, live: await asked });
  const start = await startOf(found.status, layout);
  return aliveLines(found.status, { ...screen, start, live: await asked });
}

function missing(layout: Layout, { env }: CliContext): Screen['notSetUp'] {
  return { message: notSetUp(layout).message, hint: setUpAdvice(env) };
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

/** How long the start that is under way has taken, beside earlier ones; undefined where none is. */
async function startOf({ phase, since }: Status, layout: Layout): Promise<Screen['start']> {
  // The recorded starts are boots: what goes on from a file is no such thing.
  if (traitsOf(phase).guest !== 'comes' || phase === 'resuming') return undefined;
  const { bootsOf } = await import('../../command/boot-logs.ts');
  const { usualMs } = await import('../../supervisor/status/boots.ts');
  const boots = knownOrNot(() => bootsOf(layout)) ?? [];
  // Until it is known that it boots, it is not among them.
  const begun = Date.parse((phase === 'starting' ? since : boots.at(-1)?.begun) ?? '');
  return Number.isNaN(begun) ? undefined : { begun, usualMs: usualMs(boots) };
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

/** Why Nix will not come; undefined where it knows the builder. */
async function unregisteredIn(layout: Layout, context: CliContext): Promise<Text | undefined> {
  const { notRegistered } = await import('../../nix/registration.ts');
  return notRegistered(layout, context);
}

/** What others have reported of the trouble; of a job that launchd could not run too, where that is all that is known. */
async function knownOf(found: FoundStatus, job: Screen['job']): Promise<readonly Text[]> {
  const status = statusIn(found);
  const trouble = status?.because ?? status?.last;
  if (trouble?.known !== undefined) return [trouble.known];
  const exitCode = found.daemon === 'gone' && job?.name === 'launchd' ? job.exitCode : undefined;
  if (trouble === undefined && exitCode === undefined) return [];
  const { describeFault, recognise } = await import('../../domain/recognise.ts');
  const { systemVersion } = await import('../../system/host/host.ts');
  const said =
    trouble === undefined ? [] : [trouble.message, ...(trouble.lines ?? []).map(plainly)];
  const ofJob = exitCode === undefined ? {} : { program: 'launchctl' as const, exitCode };
  const faults = [{ said }, { said: [], ...ofJob }].flatMap((seen) =>
    recognise({ ...seen, ...systemVersion() }),
  );
  return faults.slice(0, 1).map(describeFault);
}
