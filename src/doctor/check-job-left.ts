/** A login job whose program is gone: an installation that was removed, or moved, without `unconfigure` leaves one. */
import { existsSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { waitingForOther } from '../command/announce-slow.ts';
import type { Check, CheckVerdict } from './check-runner.ts';
import { applyJournalled } from '../setup/survey.ts';
import { survey } from '../setup/survey.ts';
import { readSettings } from '../config/read-settings.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { readIfThere, removeFile } from '../system/files/files.ts';
import { withOperationLock } from '../system/lock/lock.ts';
import type { DoctorFacts } from './facts.ts';
import type { ServiceKind } from '../service/declared-job.ts';
import { jobPaths } from '../service/job-files.ts';
import { serviceOf } from '../service/service.ts';
import { wantedJob } from '../service/wanted-job.ts';
import { advice, ours } from '../system/advice.ts';

/** Its name as a check, on which the login job's rests. */
export const leftJobCheck = 'old login job';

interface LeftJob {
  readonly kind: ServiceKind;
  /** The file that names the program. */
  readonly path: string;
  /** All files of the job. */
  readonly files: readonly string[];
  /** The program that is not there. */
  readonly main: string;
}

/** One where there is such a job, else none: it needs no settings, which may be gone as well. */
export function leftJobChecks(facts: DoctorFacts): readonly Check[] {
  const left = findLeftJob(facts);
  return left === undefined
    ? []
    : [{ name: leftJobCheck, dependsOn: [], run: () => verdictOf(facts) }];
}

function findLeftJob({ context }: DoctorFacts): LeftJob | undefined {
  const { launcher, plist, unit } = jobPaths(context);
  const jobs = [
    { kind: 'launchd', path: launcher, files: [plist, launcher] },
    { kind: 'systemd', path: unit, files: [unit] },
  ] as const;
  return jobs.flatMap((job) => {
    const mains = programsIn(readIfThere(job.path) ?? '');
    const [main] = mains;
    return main === undefined || mains.some((path) => existsSync(path)) ? [] : [{ ...job, main }];
  })[0];
}

/** The programs of ours that a launcher or a unit names, in the quotes of either. */
export function programsIn(text: string): readonly string[] {
  const ours = String.raw`\/(?:dist\/main\.js|bin\/linuxkit-builder)`;
  const ofShell = new RegExp(`'(\\/(?:[^'\\n]|'\\\\'')*${ours})'`, 'g');
  const ofSystemd = new RegExp(`"(\\/(?:[^"\\\\\\n]|\\\\.)*${ours})"`, 'g');
  const all = [
    ...[...text.matchAll(ofShell)].map(([, path = '']) => path.replaceAll(`'\\''`, `'`)),
    ...[...text.matchAll(ofSystemd)].map(([, path = '']) =>
      path.replace(/\\(.)/g, '$1').replaceAll('%%', '%').replaceAll('$$', '$'),
    ),
  ];
  return [...new Set(all)];
}

function verdictOf(facts: DoctorFacts): CheckVerdict {
  const left = findLeftJob(facts);
  if (left === undefined) return noneLeft;
  const wanted = wantedFiles(facts);
  const isWanted = wanted.some(({ path }) => path === left.path);
  return {
    ...leftVerdict(left, isWanted),
    fix: () => (isWanted ? tellAnew(facts) : takeAway(left, facts)),
  };
}

/** `isWanted`: the settings ask for such a job. */
export const leftVerdict = (
  { path, main }: Pick<LeftJob, 'path' | 'main'>,
  isWanted: boolean,
): Extract<CheckVerdict, { kind: 'bad' }> => ({
  kind: 'bad',
  code: 'job-program-gone',
  what: `${path} starts a program that does not exist: ${main}.`,
  why: advice`It was uninstalled or moved without \`${ours('unconfigure')}\`, so nothing starts at your login.`,
  remedy: isWanted
    ? advice`${ours('configure')}, then ${ours('start')}`
    : advice`${ours('doctor', '--fix')}, which removes that job`,
});

/** Mended meanwhile, by --fix or by somebody else. */
export const noneLeft: CheckVerdict = { kind: 'good', fact: 'no leftover job' };

/** The files that the settings ask for; none where there are no settings. */
const wantedFiles = ({ layout, context }: DoctorFacts) => {
  const { config } = readSettings(layout);
  return config === undefined ? [] : wantedJob(layout, config, context).files;
};

/** As configure writes them. */
async function tellAnew(facts: DoctorFacts): Promise<void> {
  const { layout, context } = facts;
  const { clock, signal } = context;
  const onWaiting = () => context.err(waitingForOther);
  await withOperationLock(layout.startLock, { clock, signal, onWaiting }, (lost) => {
    const stop = AbortSignal.any([lost, signal]);
    applyJournalled(survey(wantedFiles(facts)), { layout, now: clock.now(), stop });
    return Promise.resolve();
  });
}

async function takeAway({ kind, files }: LeftJob, { layout, context }: DoctorFacts): Promise<void> {
  const service = serviceOf(kind, layout, context);
  if ((await service.state()).running) throw new Failed(stillRuns);
  await service.remove();
  for (const path of files) removeFile(path);
  // Of launchd's two files one has a folder of its own.
  if (kind === 'launchd') removeIfEmpty(dirname(files.at(-1) ?? ''));
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Somebody has something in it.
  }
}

/** Its file may go only when nothing of it lives. */
export const stillRuns: Failure = {
  kind: 'job-runs',
  message: 'The daemon that it started is still running.',
  hint: advice`Stop it first: ${ours('stop')}`,
  exit: Exit.temporary,
};
