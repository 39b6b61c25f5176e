/** The steps into each phase, with what has to be done for it. Pure. */
import type { Failure } from '../system/failure.ts';
import type { Because, Effect, In, PauseReason, Rest, State, Was } from './state.ts';

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** `last`: what the start before it was lost to. */
export const starting = (attempt: number, now: number, last?: Failure): Step =>
  enter({ phase: 'starting', since: now, ...history({ attempt, last }) }, { type: 'launch' });
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

export const paused = (before: History, was: Was, why: PauseReason, now: number): Step =>
  enter({ phase: 'paused', since: now, ...history(before), was, why }, { type: 'hold-door' });

/** What ends is begun again when it has ended. */
export const again = (state: In<'stopping'>, why: string): Step =>
  stay({ ...state, because: { type: 'restart', why } });

export const away = (why: Rest, now: number): Step =>
  enter({ phase: 'away', since: now, why }, { type: 'await-clients' });

/** `why`: where nobody asked for it. */
export const stopped = (now: number, why?: Failure): Step =>
  enter({ phase: 'stopped', since: now }, { type: 'leave', ...(why === undefined ? {} : { why }) });

export const enter = (state: State, ...effects: Effect[]): Step => ({ state, effects });

export const stay = (state: State): Step => ({ state, effects: [] });
