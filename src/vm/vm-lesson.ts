/**
 * What a start teaches of the program that ran it. One that failed before its guest was ready is left for the next one within the same
 * start, with the same disk and keys; one whose guest got ready is kept.
 */
import {
  firstFit,
  isRejection,
  readVerdicts,
  tryAgainOf,
  type Lesson,
  type Verdict,
} from '../domain/verdicts.ts';
import type { Text } from '../system/advice.ts';
import type { Failure } from '../system/failure.ts';
import { factsOf, heldAgainst, type ChooseVm } from './choose-vm.ts';
import { hasRecord, keepVm, readKept } from './kept-vm.ts';
import { blameOf } from './vm-blame.ts';
import type { VmDriver } from './vm-driver.ts';
import { basisOf, buildOf, driverOf } from './vm-drivers.ts';
import { rankVms, type VmWay } from './vm-ranking.ts';

/** A start that was lost before its guest was ready. */
interface LostStart extends ChooseVm {
  readonly driver: VmDriver;
  /** When: wall time, ISO 8601. */
  readonly at: string;
  /** How many starts in a row were lost. */
  readonly attempt: number;
  /** The guest has said nothing at all. */
  readonly isMute: boolean;
}

/**
 * What a lost start teaches: with `auto`, a program that cannot serve is not taken again in this boot of the host, where another one is
 * here (`vm-rejected`). One that was chosen by name is not changed.
 */
export function vmLesson(failure: Failure, lost: LostStart): Lesson {
  const { config, driver } = lost;
  if (config.vm !== 'auto') return { failure };
  const facts = factsOf(lost);
  const { ways } = rankVms(facts);
  const hasKept = facts.kept !== driver.name && ways.some(({ vm }) => vm === facts.kept);
  const verdict = verdictOf(failure, lost, hasKept);
  if (verdict === undefined) return { failure };
  const next = nextBest(ways, verdict, lost);
  // Where none is left nothing is gained by going on at once.
  if (next === undefined || next.name === driver.name) return { failure };
  const told = passedOver(failure, { driver, next, hint: tryAgainOf(verdict) });
  return { failure: told, verdict };
}

/** What is held against the program; undefined where it is not to blame. `hasKept`: another ran this guest before. */
function verdictOf(failure: Failure, lost: LostStart, hasKept: boolean): Verdict | undefined {
  const { driver, at, attempt, isMute } = lost;
  const blame = blameOf(failure, { attempt, isMute, hasKept });
  if (blame === undefined) return undefined;
  return {
    subject: 'vm',
    way: driver.name,
    basis: basisOf(driver.name, lost),
    at,
    why: failure.message,
    ...(blame === 'passes' ? { passes: true } : {}),
  };
}

/** The program that a start would take once a verdict is kept. */
function nextBest(ways: readonly VmWay[], verdict: Verdict, lost: LostStart): VmDriver | undefined {
  const { known = readVerdicts(lost.layout.verdicts) } = lost;
  const then = { ...lost, known: [...known, verdict] };
  const { fit } = firstFit(ways, (way) => heldAgainst(way, then));
  return fit && driverOf(fit.vm);
}

/** The failure as it is told where another program goes on. */
function passedOver(
  failure: Failure,
  {
    driver,
    next,
    hint,
  }: { readonly driver: VmDriver; readonly next: VmDriver; readonly hint: Text },
): Failure {
  // It is neither the image's fault then, nor that of the next one, nor of the way in which a guest is suspended.
  const { blames, vmFault, suspendFault, ...rest } = failure;
  return {
    ...rest,
    kind: 'vm-rejected',
    message: `${driver.row.title} failed to run the guest here, so this start continues with ${next.row.title}. ${failure.message}`,
    hint,
    recovery: 'other-way',
  };
}

/**
 * Its guest is ready: the program is kept, and of each better one that could not run it the build, so that another build is tried once.
 * Where a better one had a trouble that may pass nothing is concluded: the next boot of the host tries it again.
 */
export function keepChoice(options: ChooseVm, vm: string): void {
  const { config, layout } = options;
  const { vm: kept, failed } = readKept(layout);
  const before = Object.entries(failed).filter(([name]) => name !== vm);
  if (config.vm !== 'auto') return keepVm(layout, vm, Object.fromEntries(before));
  const { ways } = rankVms({ ...factsOf(options), kept: undefined });
  const own = ways.findIndex((way) => way.vm === vm);
  const better = ways.slice(0, Math.max(0, own)).flatMap((way) => {
    const held = heldAgainst(way, options);
    return isRejection(held) ? [{ name: way.vm, ...held }] : [];
  });
  const lasting = better.filter(({ passes }) => passes !== true);
  const builds = lasting.map(({ name, why }) => {
    return [name, { build: buildOf(name, options), why }] as const;
  });
  const isOpen = better.some(({ passes }) => passes === true);
  // A disk that has no record is a new one here: nothing was tried of an old one's that could fail.
  const soFar = hasRecord(layout) && kept !== undefined ? kept : '';
  keepVm(layout, isOpen ? soFar : vm, Object.fromEntries([...before, ...builds]));
}
