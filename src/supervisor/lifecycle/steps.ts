/** The steps into each phase, with what has to be done for it. Pure. */
import type { Failure } from '../../system/failure.ts';
import type { Policy } from './backoff.ts';
import type {
  Because,
  Effect,
  Event,
  In,
  PauseReason,
  Phase,
  Rest,
  Saved,
  State,
  Was,
} from './state.ts';

/** What is true now, and what to do about it, in this order. */
export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** What an event does in a phase. `now`: wall time in ms. */
export type Handler<P extends Phase> = (
  state: In<P>,
  event: Event,
  now: number,
  policy: Policy,
) => Step;

/** `last`: what the start before it was lost to. */
export const starting = (attempt: number, now: number, last?: Failure): Step =>
  enter(
    { phase: 'starting', since: now, ...history({ attempt, last }) },
    { type: 'launch', afresh: false },
  );

/** From nothing, whatever was saved: somebody wants another guest. */
export const startingAfresh = (now: number, last?: Failure): Step =>
  enter(
    { phase: 'starting', since: now, ...history({ attempt: 1, last }) },
    { type: 'launch', afresh: true },
  );

/** What goes with a start from phase to phase. */
export const history = ({ attempt, last }: History) =>
  last === undefined ? { attempt } : { attempt, last };

interface History {
  readonly attempt: number;
  readonly last?: Failure | undefined;
}

/** The first reason is kept; who wants something else says so by an event of its own. */
export const ending = ({ attempt }: { attempt: number }, because: Because, now: number): Step =>
  enter({ phase: 'stopping', since: now, attempt, because }, { type: 'end-children' });

/** It goes as a file. */
export const suspending = (before: History, why: Rest, now: number): Step =>
  enter({ phase: 'suspending', since: now, ...history(before), why }, { type: 'suspend', why });

/** `was`: the phase to which it goes back. */
export const paused = (before: History, was: Was, why: PauseReason, now: number): Step =>
  enter({ phase: 'paused', since: now, ...history(before), was, why }, { type: 'hold-door' });

/** What ends is begun again when it has ended: as it was, for whoever `wanted` it. */
export const again = (state: In<'stopping'>, why: string, on: 'wanted' | 'restart'): Step =>
  stay({
    ...state,
    because: {
      type: 'restart',
      why,
      ...(on === 'wanted' && { keeps: true as const }),
      ...savedIn(state.because),
    },
  });

/** What it has left of itself, for whatever reason it goes. */
export const savedIn = (because: Because): { readonly saved?: Saved } =>
  'saved' in because ? { saved: because.saved } : {};

/** The reason why it is not suspended, from one state or event to the next. */
export const insteadIn = ({ instead }: { readonly instead?: string }) =>
  instead === undefined ? {} : { instead };

/** `saved`: the file from which the guest goes on; absent where it boots. */
export const away = (why: Rest, now: number, saved?: Saved, instead?: string): Step => {
  const left = saved === undefined ? { ...(instead !== undefined && { instead }) } : { saved };
  return enter({ phase: 'away', since: now, why, ...left }, { type: 'await-clients' });
};

/** `why`: where nobody asked for it. */
export const stopped = (now: number, why?: Failure): Step =>
  enter({ phase: 'stopped', since: now }, { type: 'leave', ...(why === undefined ? {} : { why }) });

/** A state with what is to be done on entering it. */
export const enter = (state: State, ...effects: Effect[]): Step => ({ state, effects });

/** Nothing happens: what came late, or changes nothing, is ignored in writing. */
export const stay = (state: State): Step => ({ state, effects: [] });

/** What is the same in every phase that has children; `unchanged` is what an ignored event leaves. */
export function up(
  state: In<'starting' | 'booting' | 'ready' | 'paused' | 'suspending' | 'resuming'>,
  event: Event,
  now: number,
  unchanged: State = state,
): Step {
  switch (event.type) {
    case 'stop':
      return ending(state, { type: 'asked' }, now);
    case 'restart':
      return ending(state, { type: 'restart', why: event.why }, now);
    case 'rest':
      return ending(state, { type: 'rest', why: event.why, ...insteadIn(event) }, now);
    case 'lost':
    case 'evicted':
      return ending(state, event, now);
    default:
      return stay(unchanged);
  }
}
