/** The check of the login job: the files by which it starts, and what its keeper says of it. */
import { sha256 } from '../system/digest.ts';
import type { CheckVerdict } from './check-runner.ts';
import { examine, type FileChange } from '../host/file-change.ts';
import { readReceipts, type Receipt } from '../host/receipts.ts';
import type { Service } from '../service/keeper.ts';
import { lastLinesOf } from '../system/files/rotated-log.ts';
import { thisUser } from '../system/host/user.ts';
import type { DoctorFacts } from './facts.ts';
import { systemJobPath } from '../service/system-job.ts';
import { presentSystemJob } from '../service/job-files.ts';
import { serviceFor } from '../service/service.ts';
import { logoutWords } from '../service/systemd/systemd-service.ts';
import { wantedJob } from '../service/wanted-job.ts';
import {
  bootJobVerdict,
  byHand,
  declaredWords,
  endedBadly,
  inOrder,
  noSystemd,
  notApplied,
  notLoaded,
  outOfDate,
  spoiltVerdict,
} from './verdicts/job-verdicts.ts';

/** A job that runs may still be one that comes to nothing at the next login: its files are looked at first. */
export async function checkJob(facts: DoctorFacts): Promise<CheckVerdict> {
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
  const isWell = verdict.kind === 'good' || verdict.kind === 'note';
  if (!isWell || changes.length === 0) return verdict;
  return { kind: 'note', code: 'job-outdated', fact: verdict.fact, why: outOfDate(changes) };
}

/** What is wrong with the file of the job at boot, which is root's. */
function systemVerdict({ layout, context, config }: DoctorFacts): CheckVerdict | undefined {
  const wanted = wantedJob(layout, config(), context).system;
  const present = presentSystemJob(layout, context);
  if (wanted?.text === present?.text) return undefined;
  const job = wanted ?? present;
  const path = job === undefined ? '' : systemJobPath(job.kind, job.tree);
  return bootJobVerdict(path, {
    isWanted: wanted !== undefined,
    isPresent: present !== undefined,
  });
}

/** Of files that a configuration in the Nix store makes nothing can be said. */
const fileChanges = ({ layout, context, config }: DoctorFacts): readonly FileChange[] =>
  wantedJob(layout, config(), context)
    .files.map(examine)
    .flatMap((examined) => (examined.kind === 'change' ? [examined.change] : []));

/** True of a file that is as an earlier configure left it. */
function isAsPut({ wanted, before }: FileChange, receipts: readonly Receipt[]): boolean {
  if (before === undefined || before.standing.mode !== wanted.mode) return false;
  const digest = sha256(before.bytes);
  return receipts.some((receipt) => receipt.path === wanted.path && receipt.digest === digest);
}

/** What its keeper says of it. */
export async function stateVerdict(
  service: Service,
  { layout }: DoctorFacts,
): Promise<CheckVerdict> {
  const { loaded, running, ended, exitCode } = await service.state();
  const { name, declared } = service;
  const whose = declared && declaredWords(declared, process.getuid?.() ?? 0);
  if (!loaded && whose !== undefined) return notApplied(name, whose);
  if (service.isAbsent === true) return noSystemd;
  if (!loaded) return { ...notLoaded(name), fix: () => service.start() };
  if (running || ended === undefined) {
    const { fact } = inOrder(name, running, whose);
    const ends = (await service.endsAtLogout?.()) === true;
    return ends
      ? { kind: 'note', code: 'job-ends-at-logout', fact, why: logoutWords(thisUser().name) }
      : { kind: 'good', fact };
  }
  const output = lastLinesOf(layout.daemonOutput, 100) ?? [];
  return endedBadly(name, { ended, exitCode }, output.join('\n'));
}
