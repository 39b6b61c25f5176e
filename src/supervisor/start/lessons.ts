/** What a start that was lost teaches: a way in which it was made may be to blame, and is not taken again. Pure but for a look at what is here. */
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { networkLesson, ownNetworkLesson } from '../../net/networks.ts';
import { plainly } from '../../system/advice.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Failure } from '../../system/failure.ts';
import { tryProgram } from '../../system/process/find-program.ts';
import type { Lesson, Verdict, Verdicts } from '../../domain/verdicts.ts';
import { acceleratorLesson } from '../../vm/accelerator.ts';
import { vmLesson } from '../../vm/vm-lesson.ts';
import type { Policy } from '../lifecycle/backoff.ts';
import type { Tried } from '../running.ts';
import type { GuestWatch } from '../health/guest-watch.ts';
import { imageLesson } from './image-choice.ts';
import { step } from '../lifecycle/lifecycle.ts';
import { startReasons } from '../lifecycle/own-reasons.ts';
import { traitsOf } from '../lifecycle/phases.ts';
import type { Effect, Event, State } from '../lifecycle/state.ts';
import type { Step } from '../lifecycle/steps.ts';

/** The start, as far as it has come. */
interface Begun {
  readonly running: { readonly tried: Tried };
  readonly config: Config;
  readonly guest: Pick<GuestWatch, 'has'>;
}

/** An event as it is taken, what is true then, and what to do. */
export function decide(
  before: State,
  news: Event,
  from: Deciding,
): Step & { readonly event: Event } {
  const { clock, policy, layout, scope, verdicts } = from;
  const now = clock.now();
  const known = { layout, now, known: () => verdicts.all() };
  const { event, effects: lessons } = takeLesson(news, before, scope, known);
  const { state, effects } = retried(step(before, event, now, policy), before, from);
  return { event, state, effects: [...lessons, ...effects] };
}

/** A start that has failed for good says nothing of settings that came while it was under way: they have their try. */
function retried(made: Step, before: State, { clock, policy, isOutdated }: Deciding): Step {
  const isLost = made.state.phase === 'failed' && before.phase !== 'failed';
  return isLost && isOutdated
    ? step(made.state, { type: 'restart', why: startReasons.settings }, clock.now(), policy)
    : made;
}

interface Deciding {
  readonly clock: Clock;
  readonly policy: Policy;
  readonly layout: Layout;
  readonly scope: Begun | undefined;
  readonly verdicts: Pick<Verdicts, 'all'>;
  /** The last start was begun with other settings than those of now. */
  readonly isOutdated: boolean;
}

interface Known {
  readonly layout: Layout;
  /** When it was lost: wall time in ms. */
  readonly now: number;
  /** What is held against what so far. */
  readonly known: () => readonly Verdict[];
}

/** An event as it is to be taken, and what is to be kept of it. */
export function takeLesson(
  event: Event,
  state: State,
  scope: Begun | undefined,
  known: Known,
): { readonly event: Event; readonly effects: readonly Effect[] } {
  if (event.type !== 'lost' || scope === undefined) return { event, effects: [] };
  let { failure } = event;
  const effects: Effect[] = [];
  for (const teach of teachers(scope, state, known)) {
    const lesson = teach(failure);
    failure = lesson.failure;
    if (lesson.verdict !== undefined) effects.push({ type: 'reject', verdict: lesson.verdict });
  }
  return { event: failure === event.failure ? event : { ...event, failure }, effects };
}

/** In their order: a failure that was explained to one is another to the next. A guest that was ready has only its accelerator to blame. */
function teachers(
  { running, config, guest: seen }: Begun,
  state: State,
  { layout, now, known }: Known,
): ((failure: Failure) => Lesson)[] {
  const { driver, image, unfit, used } = running.tried;
  const { guest, lossTeaches } = traitsOf(state.phase);
  const at = new Date(now).toISOString();
  const shared = { config, layout, known: known(), at };
  const program = tryProgram(driver.program(config));
  const ofAccelerator = (failure: Failure) => acceleratorLesson(failure, used, shared);
  if (guest === 'there') return [ofAccelerator];
  if (!lossTeaches) return [];
  const attempt = 'attempt' in state ? state.attempt : 1;
  const lost = { ...shared, driver, attempt, isMute: !seen.has('init') };
  return [
    (failure) =>
      unfit === undefined
        ? { failure }
        : networkLesson(failure, unfit, { ...shared, row: driver.row, vmProgram: program }),
    ofAccelerator,
    // A VM program without a network of its own is blamed itself only where no other network is here.
    (failure) =>
      program === undefined || driver.lacksNetwork?.((failure.lines ?? []).map(plainly)) !== true
        ? { failure }
        : ownNetworkLesson(failure, program, { ...shared, row: driver.row }),
    (failure) => vmLesson(failure, lost),
    (failure) =>
      isChance(failure, { attempt, isRacy: used?.accelerator === 'tcg' && config.cpus > 1 })
        ? { failure }
        : imageLesson(failure, image, at),
  ];
}

/**
 * Several emulated processors of a QEMU before 8.1 end one boot in forty in a panic (docs/backends.md): one says nothing of
 * the image, two in a row do.
 */
const isChance = (
  { kind }: Failure,
  { attempt, isRacy }: { readonly attempt: number; readonly isRacy: boolean },
): boolean => isRacy && attempt <= 1 && kind === 'guest-panicked';
