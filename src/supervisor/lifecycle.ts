/**
 * The builder's life as a pure function: what is true (State), what happened (Event), what to do now (Effect).
 *
 *                 start          vm-launched         guest-ready
 *    stopped ───────► starting ─────► booting ──────────────► ready
 *       ▲                └───────────────┴──── lost, restart ───┤
 *       │ children-gone (stop, evicted)                         ▼
 *       ├───────────────────────────────────────────────────  stopping
 *       │                retry-due                              │ children-gone (restart: starting again)
 *       └── stop ── backing-off ◄──────────────────────────── lost: policy ──► failed, or at once starting
 *
 * Nothing here waits, reads a clock or touches the world, so a test walks every reachable state.
 */
import { afterLoss, type Policy } from './backoff.ts';
import type { Because, Effect, Event, PauseReason, Phase, State, Was } from './state.ts';
import type { Failure } from '../system/failure.ts';

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** Before anything was asked. */
export const initial = (now: number): State => ({ phase: 'stopped', since: now });

/** State + event -> next state and what to do. `now` is wall time in ms. */
export function step(state: State, event: Event, now: number, policy: Policy): Step {
  // One cast: TypeScript does not relate the key to the state's own phase.
  const handle = phases[state.phase] as (
    state: State,
    event: Event,
    now: number,
    policy: Policy,
  ) => Step;
  return handle(state, event, now, policy);
}

type In<P extends Phase> = Extract<State, { phase: P }>;
type Handler<P extends Phase> = (state: In<P>, event: Event, now: number, policy: Policy) => Step;

const phases: { readonly [P in Phase]: Handler<P> } = {
  stopped: (state, event, now) => {
    switch (event.type) {
      case 'start':
      case 'restart':
        return starting(1, now);
      case 'stop':
        return { state, effects: [{ type: 'leave' }] };
      default:
        return stay(state);
    }
  },

  starting: (state, event, now) => {
    switch (event.type) {
      case 'vm-launched':
        return enter({ phase: 'booting', since: now, ...history(state), stage: undefined });
      case 'vm-paused':
        return paused(state, { phase: 'starting' }, event.why, now);
      default:
        return up(state, event, now);
    }
  },

  booting: (state, event, now) => {
    switch (event.type) {
      case 'stage':
        return stay({ ...state, stage: event.name });
      case 'vm-paused':
        return paused(state, { phase: 'booting', stage: state.stage }, event.why, now);
      case 'guest-ready':
        return enter({ phase: 'ready', since: now, ...history(state) }, { type: 'release-door' });
      default:
        return up(state, event, now);
    }
  },

  ready: (state, event, now, policy) => {
    if (event.type === 'vm-paused')
      return paused(state, { phase: 'ready', since: state.since }, event.why, now);
    return up(forgiven(state, state.since, now, policy), event, now, state);
  },

  paused: (state, event, now, policy) => {
    const { was } = state;
    switch (event.type) {
      case 'vm-resumed':
        return was.phase === 'ready'
          ? enter({ ...was, ...history(state) }, { type: 'release-door' })
          : enter({ ...was, since: now, ...history(state) });
      case 'vm-launched':
        return stay({ ...state, was: { phase: 'booting', stage: undefined } });
      case 'guest-ready':
        return stay({ ...state, was: { phase: 'ready', since: now } });
      case 'vm-paused':
        return stay({ ...state, why: event.why });
      default:
        return up(
          was.phase === 'ready' ? forgiven(state, was.since, now, policy) : state,
          event,
          now,
          state,
        );
    }
  },

  stopping: (state, event, now, policy) => {
    switch (event.type) {
      case 'stop':
        return leaving(state) ? stay(state) : stay({ ...state, because: { type: 'asked' } });
      case 'evicted':
        return leaving(state) ? stay(state) : stay({ ...state, because: event });
      case 'restart':
        return state.because.type === 'lost'
          ? stay({ ...state, because: { type: 'restart', why: event.why } })
          : stay(state);
      case 'children-gone':
        return gone(state, now, policy);
      default:
        return stay(state);
    }
  },

  'backing-off': (state, event, now) => {
    switch (event.type) {
      case 'stop':
        return stopped(now);
      case 'evicted':
        return stopped(now, event.failure);
      case 'retry-due':
        return starting(state.attempt + 1, now, state.because);
      case 'restart':
        return starting(1, now, state.because);
      default:
        return stay(state);
    }
  },

  failed: (state, event, now) => {
    switch (event.type) {
      case 'stop':
        return stopped(now);
      case 'evicted':
        return stopped(now, event.failure);
      case 'start':
      case 'restart':
        return starting(1, now, state.because);
      default:
        return stay(state);
    }
  },
};

/** A life that was long enough forgives the failures before it. */
function forgiven<S extends { readonly attempt: number }>(
  state: S,
  readySince: number,
  now: number,
  policy: Policy,
): S {
  return now - readySince >= policy.stableMs ? { ...state, attempt: 0 } : state;
}

/** What is the same in every phase that has children; `unchanged` is what an ignored event leaves. */
function up(
  state: In<'starting' | 'booting' | 'ready' | 'paused'>,
  event: Event,
  now: number,
  unchanged: State = state,
): Step {
  switch (event.type) {
    case 'stop':
      return ending(state, { type: 'asked' }, now);
    case 'restart':
      return ending(state, { type: 'restart', why: event.why }, now);
    case 'lost':
    case 'evicted':
      return ending(state, event, now);
    default:
      return stay(unchanged);
  }
}

function gone({ attempt, because }: In<'stopping'>, now: number, policy: Policy): Step {
  switch (because.type) {
    case 'asked':
      return stopped(now);
    case 'evicted':
      return stopped(now, because.failure);
    case 'restart':
      return starting(1, now);
    case 'lost': {
      const { failure } = because;
      const next = afterLoss(failure, attempt, policy);
      if (next.type === 'give-up')
        return enter(
          { phase: 'failed', since: now, because: next.failure },
          { type: 'refuse-door' },
        );
      if (next.type === 'other-way') return starting(Math.max(1, attempt), now, failure);
      const { ms } = next;
      if (ms === 0) return starting(attempt + 1, now, failure);
      return enter(
        { phase: 'backing-off', since: now, attempt, until: now + ms, because: failure },
        { type: 'retry-after', ms },
      );
    }
  }
}

/** Whether nothing will come after this end. */
const leaving = ({ because }: In<'stopping'>): boolean =>
  because.type === 'asked' || because.type === 'evicted';
const starting = (attempt: number, now: number, last?: Failure): Step =>
  enter({ phase: 'starting', since: now, ...history({ attempt, last }) }, { type: 'launch' });
/** What goes with a start from phase to phase. */
const history = ({ attempt, last }: History) =>
  last === undefined ? { attempt } : { attempt, last };
interface History {
  readonly attempt: number;
  readonly last?: Failure | undefined;
}
const ending = ({ attempt }: { attempt: number }, because: Because, now: number): Step =>
  enter({ phase: 'stopping', since: now, attempt, because }, { type: 'end-children' });
const paused = (before: History, was: Was, why: PauseReason, now: number): Step =>
  enter({ phase: 'paused', since: now, ...history(before), was, why }, { type: 'hold-door' });
const stopped = (now: number, why?: Failure): Step =>
  enter({ phase: 'stopped', since: now }, { type: 'leave', ...(why === undefined ? {} : { why }) });
const enter = (state: State, ...effects: Effect[]): Step => ({ state, effects });
const stay = (state: State): Step => ({ state, effects: [] });
