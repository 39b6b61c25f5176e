/** What is to be said of the job by which the daemon is started. Pure. */
import type { FileChange } from '../../host/file-change.ts';
import { restartCommand, type DeclaredJob, type ServiceKind } from '../../service/declared-job.ts';
import type { CheckVerdict } from '../check-runner.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** There is no job, and nobody asked for one. */
export const byHand: CheckVerdict = {
  kind: 'not-asked',
  code: 'job-by-hand',
  why: advice`the daemon is started by hand (to change that: ${ours('configure', '--autostart')})`,
};

/** The files are as they were written, and would be written otherwise now. */
export const outOfDate = (changes: readonly FileChange[]): Text =>
  advice`Node, the location of this program or the PATH has changed since ${pathsOf(changes)} was written. To update it: ${ours('configure')}`;

const pathsOf = (changes: readonly FileChange[]): string =>
  changes.map(({ wanted }) => wanted.path).join(', ');

/** Of a file of root's that is not as it should be. */
export function bootJobVerdict(
  path: string,
  { isWanted, isPresent }: { readonly isWanted: boolean; readonly isPresent: boolean },
): CheckVerdict {
  const what = !isWanted
    ? `${path} starts the daemon at boot, but the settings do not ask for that.`
    : isPresent
      ? `Node, the location of this program or the PATH has changed since ${path} was written.`
      : `The daemon is not started at boot: ${path} does not exist, or belongs to another builder.`;
  const why = 'The file belongs to root; configure writes and removes it.';
  const code = !isWanted
    ? 'boot-job-unwanted'
    : isPresent
      ? 'boot-job-outdated'
      : 'boot-job-missing';
  return { kind: 'bad', code, what, why, remedy: ours('configure') };
}

/** Files of the job that are missing, or that somebody has changed. */
export const spoiltVerdict = (changes: readonly FileChange[]): CheckVerdict => ({
  kind: 'bad',
  code: 'job-files-changed',
  what: `Not as configure would write ${changes.length === 1 ? 'it' : 'them'}: ${changes.map(spoiltWords).join(', ')}.`,
  why: 'The daemon may not start at your next login.',
  remedy: advice`${ours('configure')}, then ${ours('start')}`,
});

function spoiltWords({ wanted, before }: FileChange): string {
  if (before === undefined) return `${wanted.path} (missing)`;
  const { mode } = before.standing;
  return mode === wanted.mode
    ? `${wanted.path} (edited)`
    : `${wanted.path} (mode ${mode.toString(8)})`;
}

/** Whose job it is where it is not ours, and how a person has it run anew. */
export const declaredWords = (declared: DeclaredJob, uid: number): string =>
  `declared by ${declared.by} in ${declared.path}; to restart it: ${restartCommand(declared, uid)}`;

/** It is declared, as `whose` says, and its keeper has not loaded it. */
export const notApplied = (name: ServiceKind, whose: string): CheckVerdict => ({
  kind: 'bad',
  code: 'job-not-applied',
  what: `${name} has not loaded the daemon's job, ${whose}.`,
  why: 'The configuration that declares it has not been applied, or the job was unloaded.',
  remedy: 'Apply that configuration again.',
});

export const noSystemd: CheckVerdict = {
  kind: 'bad',
  code: 'no-systemd',
  what: 'This system does not run systemd, so nothing starts the daemon.',
  why: 'Its job was written for systemd.',
  remedy: advice`${ours('configure', '--no-autostart')}; have your own init system run: ${ours('daemon')}`,
};

/** Its files are right, and its keeper does not know it. */
export const notLoaded = (name: ServiceKind): Extract<CheckVerdict, { kind: 'bad' }> => ({
  kind: 'bad',
  code: 'job-not-loaded',
  what: `${name} has not loaded the daemon's job.`,
  why:
    name === 'launchd'
      ? 'It was never loaded, or it was switched off in Login Items.'
      : 'It was never enabled.',
  remedy: ours('start'),
});

/** It runs, or its last run ended in order. */
export const inOrder = (
  name: ServiceKind,
  running: boolean,
  whose: string | undefined,
): Extract<CheckVerdict, { kind: 'good' }> => ({
  kind: 'good',
  fact: `${name}: ${running ? 'running' : 'loaded, not running'}${whose === undefined ? '' : ` (${whose})`}`,
});

/** `output`: all that the daemon has printed, of which the last three lines are shown. */
export const endedBadly = (
  name: ServiceKind,
  { ended, exitCode }: { readonly ended: string; readonly exitCode: number | undefined },
  output: string,
): CheckVerdict => ({
  kind: 'bad',
  code: 'job-ended-badly',
  what: `The daemon's last run under ${name} ended ${ended}.`,
  why: output.trim().split('\n').slice(-3).join(' | '),
  remedy: advice`${ours('start')}, then ${ours('logs')}`,
  ...(name === 'launchd' && { seen: endSeen(exitCode) }),
});

/** How launchd saw it end: the catalogue of known faults has some ends of its. */
const endSeen = (exitCode: number | undefined) => ({
  program: 'launchctl' as const,
  ...(exitCode === undefined ? {} : { exitCode }),
});
