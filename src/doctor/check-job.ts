/** The check of the login job: the files by which it starts, and what its keeper says of it. */
import { createHash } from 'node:crypto';
import type { Verdict } from './check-runner.ts';
import { examine, type FileChange } from '../host/file-change.ts';
import { readReceipts, type Receipt } from '../host/receipts.ts';
import type { Service } from '../service/keeper.ts';
import { readIfThere } from '../system/files/files.ts';
import type { DoctorFacts } from './facts.ts';
import { restartCommand } from '../service/declared-job.ts';
import { systemJobPath } from '../service/system-job.ts';
import { presentSystemJob, serviceFiles, serviceFor, wantedSystemJob } from '../service/service.ts';

/** A job that runs may still be one that comes to nothing at the next login: its files are looked at first. */
export async function checkJob(facts: DoctorFacts): Promise<Verdict> {
  const { layout, context } = facts;
  const receipts = readReceipts(layout.receipts);
  const changes = fileChanges(facts);
  const spoilt = changes.filter((change) => !isAsPut(change, receipts));
  if (spoilt.length > 0) return spoiltVerdict(spoilt);
  const service = serviceFor(layout, context);
  const atBoot = service?.declared === undefined ? systemVerdict(facts) : undefined;
  if (atBoot !== undefined) return atBoot;
  if (service === undefined)
    return {
      kind: 'not-asked',
      why: 'the daemon is started by hand (configure --autostart changes that)',
    };
  const verdict = await stateVerdict(service, facts);
  if (verdict.kind !== 'good' || changes.length === 0) return verdict;
  return {
    kind: 'note',
    fact: verdict.fact,
    why: `It was told of another Node, place or PATH than is here now: ${pathsOf(changes)}. linuxkit-builder configure tells it anew.`,
  };
}

/** What is wrong with the file of the job at boot, which is root's. */
function systemVerdict({ layout, context, config }: DoctorFacts): Verdict | undefined {
  const wanted = wantedSystemJob(layout, config(), context);
  const present = presentSystemJob(layout, context);
  if (wanted?.text === present?.text) return undefined;
  const job = wanted ?? present;
  const path = job === undefined ? '' : systemJobPath(job.kind, job.tree);
  const what =
    wanted === undefined
      ? `${path} starts the daemon at boot, and the settings do not ask for that.`
      : present === undefined
        ? `The daemon is not started at boot: ${path} is not there, or not of this builder.`
        : `${path} is of another Node, place or PATH than is here now.`;
  const why = 'It is a file of root’s, which configure writes and takes away.';
  return { kind: 'bad', what, why, remedy: 'linuxkit-builder configure' };
}

/** Of files that a configuration in the Nix store makes nothing can be said. */
const fileChanges = ({ layout, context, config }: DoctorFacts): readonly FileChange[] =>
  serviceFiles(layout, config(), context)
    .map(examine)
    .flatMap((examined) => (examined.kind === 'change' ? [examined.change] : []));

/** True of a file that is as an earlier configure left it. */
function isAsPut({ wanted, before }: FileChange, receipts: readonly Receipt[]): boolean {
  if (before === undefined || before.standing.mode !== wanted.mode) return false;
  const digest = createHash('sha256').update(before.bytes).digest('hex');
  return receipts.some((receipt) => receipt.path === wanted.path && receipt.digest === digest);
}

const pathsOf = (changes: readonly FileChange[]): string =>
  changes.map(({ wanted }) => wanted.path).join(', ');

const spoiltVerdict = (changes: readonly FileChange[]): Verdict => ({
  kind: 'bad',
  what: `Not as configure writes it: ${changes.map(spoiltWords).join(', ')}.`,
  why: 'The daemon may not start at your next login.',
  remedy: 'linuxkit-builder configure, then linuxkit-builder start',
});

function spoiltWords({ wanted, before }: FileChange): string {
  if (before === undefined) return `${wanted.path} (it is gone)`;
  const { mode } = before.standing;
  return mode === wanted.mode
    ? `${wanted.path} (somebody changed it)`
    : `${wanted.path} (its mode is ${mode.toString(8)})`;
}

/** How launchd saw it end. */
const endSeen = (exitCode: number | undefined) => ({
  program: 'launchctl' as const,
  ...(exitCode === undefined ? {} : { exitCode }),
});

async function stateVerdict(service: Service, { layout }: DoctorFacts): Promise<Verdict> {
  const { loaded, running, ended, exitCode } = await service.state();
  const { declared } = service;
  const restart = declared && restartCommand(declared, process.getuid?.() ?? 0);
  const whose =
    declared && `declared by ${declared.by} in ${declared.path}; to restart it: ${restart ?? ''}`;
  const told = whose === undefined ? '' : ` (${whose})`;
  if (!loaded && declared !== undefined)
    return {
      kind: 'bad',
      what: `${service.name} does not know the daemon, ${whose ?? ''}.`,
      why: 'What declares it was not applied since, or somebody unloaded it.',
      remedy: 'Apply that configuration again.',
    };
  if (!loaded)
    return {
      kind: 'bad',
      what: `${service.name} does not know the daemon.`,
      why:
        service.name === 'launchd'
          ? 'It was not loaded, or was switched off in the Login Items.'
          : 'It was not enabled, or this system was not started by systemd.',
      remedy: 'linuxkit-builder start',
      fix: () => service.start(),
    };
  if (running || ended === undefined)
    return {
      kind: 'good',
      fact: `${service.name}: ${running ? 'running' : 'loaded, stopped'}${told}`,
    };
  const words = readIfThere(layout.daemonOutput)?.trim().split('\n').slice(-3).join(' | ') ?? '';
  return {
    kind: 'bad',
    what: `The daemon's last run under ${service.name} ended ${ended}.`,
    why: words,
    remedy: 'linuxkit-builder start, then linuxkit-builder logs',
    ...(service.name === 'launchd' && { seen: endSeen(exitCode) }),
  };
}
