import type { Command } from 'commander';
import { describeProblem } from '../config/problem.ts';
import { Exit } from '../system/failure.ts';
import type { Status } from '../supervisor/status.ts';
import { directoryOption, layoutFor, type CliContext, type DirectoryOption } from './context.ts';

interface StatusOptions extends DirectoryOption {
  readonly json?: boolean;
}

/** `status`: what the daemon says of itself, or said last. Exit 0 when a daemon lives, 69 otherwise. */
export function statusVerb(program: Command, context: CliContext): void {
  program
    .command('status')
    .description('say what is true now, and why')
    .option(...directoryOption)
    .option('--json', 'the whole record, for programs')
    .action(async (options: StatusOptions) => {
      const layout = layoutFor(options, context);
      const { readStatus } = await import('../supervisor/status.ts');
      const found = readStatus(layout);
      const status = found.daemon === 'alive' ? found.status : found.last;
      if (options.json === true)
        context.out(JSON.stringify({ running: found.daemon === 'alive', ...status }));
      else
        for (const line of found.daemon === 'alive'
          ? alive(found.status, context.clock.now())
          : gone(found.last))
          context.out(line);
      context.exit(found.daemon === 'alive' ? Exit.ok : Exit.unavailable);
    });
}

function gone(last: Status | undefined): string[] {
  const before =
    last === undefined || last.phase === 'stopped'
      ? []
      : [`  It was '${last.phase}' when it was last heard of, ${last.since}.`];
  const why =
    last?.because === undefined ? [] : [`  ${last.because.message}`, `  ${last.because.hint}`];
  return ['No daemon runs.', ...before, ...why, '  Start it: linuxkit-builder start.'];
}

/** The record for a person: one line a fact. */
function alive(status: Status, now: number): string[] {
  const { builder, door, because, last } = status;
  const lines = [
    `${status.sentence} (${status.phase} for ${duration(now - Date.parse(status.since))})`,
    ...(because?.lines ?? []).map((line) => `    | ${line}`),
    ...(status.phase === 'failed' || because === undefined ? [] : [`  hint       ${because.hint}`]),
    ...(last === undefined ? [] : [`  last time  ${last.message}`]),
    ...(builder === undefined
      ? []
      : [
          `  builder    ${builder.system}, ${builder.cpus} CPUs, ${builder.memoryMiB} MiB, disk ${builder.diskGiB} GiB, ${builder.maxJobs} jobs; features ${builder.features.join(', ')}`,
        ]),
    ...(door === undefined ? [] : [`  door       127.0.0.1:${door.port}`]),
    ...(status.vmPid === undefined
      ? []
      : [
          `  vm         ${[`${builder?.vm ?? ''} pid ${status.vmPid}`, ...(status.accelerator === undefined ? [] : [status.accelerator])].join(', ')}`,
        ]),
    ...(status.networkPid === undefined
      ? []
      : [`  network    ${status.network ?? ''} pid ${status.networkPid}`]),
    ...notTaken(status),
    ...(status.rejected ?? []).map((line) => `  not used   ${line}`),
    ...(status.clockOffsetMs === undefined
      ? []
      : [`  clock      ${status.clockOffsetMs} ms from the host's when it became ready`]),
    `  daemon     pid ${status.daemon.pid}`,
  ];
  const timeline = (status.timeline ?? []).map(
    ({ name, ms }) => `${name} ${(ms / 1000).toFixed(1)}`,
  );
  return timeline.length === 0 ? lines : [...lines, `  start      ${timeline.join(', ')} s`];
}

/** What is wrong in config.json while the daemon goes on with what it had; `failed` says it in its sentence. */
const notTaken = ({ phase, problems = [] }: Status): string[] =>
  phase === 'failed' ? [] : problems.map((problem) => `  not taken  ${describeProblem(problem)}`);

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
