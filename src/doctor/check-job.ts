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
  if (service === undefined) return byHand;
  const verdict = await stateVerdict(service, facts);
  if (verdict.kind !== 'good' || changes.length === 0) return verdict;
  return {
    kind: 'note',
    fact: verdict.fact,
    why: outOfDate(changes),
  };
}

export const byHand: Verdict = {
  kind: 'not-asked',
  why: 'the daemon is started by hand (to change that: linuxkit-builder configure --autostart)',
};

export const outOfDate = (changes: readonly FileChange[]): string =>
  `Node, the location of this program or the PATH has changed since ${pathsOf(changes)} was written. To update it: linuxkit-builder configure`;

/** What is wrong with the file of the job at boot, which is root's. */
function systemVerdict({ layout, context, config }: DoctorFacts): Verdict | undefined {
  const wanted = wantedSystemJob(layout, config(), context);
  const present = presentSystemJob(layout, context);
  if (wanted?.text === present?.text) return undefined;
  const job = wanted ?? present;
  const path = job === undefined ? '' : systemJobPath(job.kind, job.tree);
  return bootJobVerdict(path, {
    isWanted: wanted !== undefined,
    isPresent: present !== undefined,
  });
}

/** Of a file of root's that is not as it should be. */
export function bootJobVerdict(
  path: string,
  { isWanted, isPresent }: { readonly isWanted: boolean; readonly isPresent: boolean },
): Verdict {
  const what = !isWanted
    ? `${path} starts the daemon at boot, but the settings do not ask for that.`
    : isPresent
      ? `Node, the location of this program or the PATH has changed since ${path} was written.`
      : `The daemon is not started at boot: ${path} does not exist, or belongs to another builder.`;
  const why = 'The file belongs to root; configure writes and removes it.';
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

export const spoiltVerdict = (changes: readonly FileChange[]): Verdict => ({
  kind: 'bad',
  what: `Not as configure would write ${changes.length === 1 ? 'it' : 'them'}: ${changes.map(spoiltWords).join(', ')}.`,
  why: 'The daemon may not start at your next login.',
  remedy: 'linuxkit-builder configure, then linuxkit-builder start',
});

function spoiltWords({ wanted, before }: FileChange): string {
  if (before === undefined) return `${wanted.path} (missing)`;
  const { mode } = before.standing;
  return mode === wanted.mode
    ? `${wanted.path} (edited)`
    : `${wanted.path} (mode ${mode.toString(8)})`;
}

/** How launchd saw it end. */
const endSeen = (exitCode: number | undefined) => ({
  program: 'launchctl' as const,
  ...(exitCode === undefined ? {} : { exitCode }),
});

export async function stateVerdict(service: Service, { layout }: DoctorFacts): Promise<Verdict> {
  const { loaded, running, ended, exitCode } = await service.state();
  const { declared } = service;
  const restart = declared && restartCommand(declared, process.getuid?.() ?? 0);
  const whose =
    declared && `declared by ${declared.by} in ${declared.path}; to restart it: ${restart ?? ''}`;
  const told = whose === undefined ? '' : ` (${whose})`;
  if (!loaded && declared !== undefined)
    return {
      kind: 'bad',
      what: `${service.name} has not loaded the daemon's job, ${whose ?? ''}.`,
      why: 'The configuration that declares it has not been applied, or the job was unloaded.',
      remedy: 'Apply that configuration again.',
    };
  if (service.isAbsent === true)
    return {
      kind: 'bad',
      what: 'This system does not run systemd, so nothing starts the daemon.',
      why: 'Its job was written for systemd.',
      remedy:
        'linuxkit-builder configure --no-autostart; have your own init system run: linuxkit-builder daemon',
    };
  if (!loaded)
    return {
      kind: 'bad',
      what: `${service.name} has not loaded the daemon's job.`,
      why:
        service.name === 'launchd'
          ? 'It was never loaded, or it was switched off in Login Items.'
          : 'It was never enabled.',
      remedy: 'linuxkit-builder start',
      fix: () => service.start(),
    };
  if (running || ended === undefined)
    return {
      kind: 'good',
      fact: `${service.name}: ${running ? 'running' : 'loaded, not running'}${told}`,
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
