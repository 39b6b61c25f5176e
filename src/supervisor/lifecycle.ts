/**
 * The builder's life as a pure function: what is true (State), what happened (Event), what to do now (Effect).
 *
 *                 start          vm-launched         guest-ready
 *    stopped ───────► starting ─────► booting ──────────────► ready
 *       ▲                └───────────────┴──── lost, restart ───┤
 *       │ children-gone (stop asked for)                        ▼
 *       ├───────────────────────────────────────────────────  stopping
 *       │                retry-due                              │ children-gone (restart: starting again)
 *       └── stop ── backing-off ◄──────────────────────────── lost: policy ──► failed
 *
 * Nothing here waits, reads a clock or touches the world, so a test walks every reachable state.
 */
import type { Failure } from '../system/failure.ts';
import { afterLoss, type Policy } from './backoff.ts';

/** Why the children are being ended. The first reason wins and is kept. */
export type Because =
  | { readonly type: 'asked' }
  | { readonly type: 'restart'; readonly why: string }
  | { readonly type: 'lost'; readonly failure: Failure };

/** `attempt` counts starts in a row that have not been stable; `since` is wall time in ms at entry. */
export type State =
  | { readonly phase: 'stopped'; readonly since: number }
  | {
      readonly phase: 'starting';
      readonly since: number;
      readonly attempt: number;
      readonly last?: Failure;
    }
  | {
      readonly phase: 'booting';
      readonly since: number;
      readonly attempt: number;
      readonly stage: string | undefined;
    }
  | { readonly phase: 'ready'; readonly since: number; readonly attempt: number }
  | {
      readonly phase: 'stopping';
      readonly since: number;
      readonly attempt: number;
      readonly because: Because;
    }
  | {
      readonly phase: 'backing-off';
      readonly since: number;
      readonly attempt: number;
      readonly until: number;
      readonly because: Failure;
    }
  | { readonly phase: 'failed'; readonly since: number; readonly because: Failure };

export type Phase = State['phase'];

export type Event =
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  | { readonly type: 'restart'; readonly why: string }
  | { readonly type: 'vm-launched' }
  | { readonly type: 'stage'; readonly name: string }
  | { readonly type: 'guest-ready' }
  | { readonly type: 'lost'; readonly failure: Failure }
  | { readonly type: 'children-gone' }
  | { readonly type: 'retry-due' };

export type Effect =
  /** Begin a start: leftovers, disk, seed, network, VM; news comes back as events. */
  | { readonly type: 'launch' }
  /** End the current start: cancel its waits, then guest, VM and network in order; ends in `children-gone`. */
  | { readonly type: 'end-children' }
  | { readonly type: 'retry-after'; readonly ms: number }
  /** Let held connections through. */
  | { readonly type: 'release-door' }
  /** Nothing more will happen: the process may leave. */
  | { readonly type: 'leave' };

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
        return enter({ phase: 'booting', since: now, attempt: state.attempt, stage: undefined });
      default:
        return up(state, event, now);
    }
  },

  booting: (state, event, now) => {
    switch (event.type) {
      case 'stage':
        return stay({ ...state, stage: event.name });
      case 'guest-ready':
        return enter(
          { phase: 'ready', since: now, attempt: state.attempt },
          { type: 'release-door' },
        );
      default:
        return up(state, event, now);
    }
  },

  ready: (state, event, now, policy) => {
    // A life that was long enough forgives the failures before it.
    const attempt = now - state.since >= policy.stableMs ? 0 : state.attempt;
    return up({ ...state, attempt }, event, now, state);
  },

  stopping: (state, event, now, policy) => {
    switch (event.type) {
      case 'stop':
        return stay({ ...state, because: { type: 'asked' } });
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
      case 'start':
      case 'restart':
        return starting(1, now, state.because);
      default:
        return stay(state);
    }
  },
};

/** What is the same in every phase that has children; `unchanged` is what an ignored event leaves. */
function up(
  state: In<'starting' | 'booting' | 'ready'>,
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
      return ending(state, { type: 'lost', failure: event.failure }, now);
    default:
      return stay(unchanged);
  }
}

function gone({ attempt, because }: In<'stopping'>, now: number, policy: Policy): Step {
  switch (because.type) {
    case 'asked':
      return stopped(now);
    case 'restart':
      return starting(1, now);
    case 'lost': {
      const next = afterLoss(because.failure, attempt, policy);
      return next.type === 'give-up'
        ? enter({ phase: 'failed', since: now, because: next.failure })
        : enter(
            {
              phase: 'backing-off',
              since: now,
              attempt,
              until: now + next.ms,
              because: because.failure,
            },
            { type: 'retry-after', ms: next.ms },
          );
    }
  }
}

const starting = (attempt: number, now: number, last?: Failure): Step =>
  enter(
    { phase: 'starting', since: now, attempt, ...(last === undefined ? {} : { last }) },
    { type: 'launch' },
  );
const ending = ({ attempt }: { attempt: number }, because: Because, now: number): Step =>
  enter({ phase: 'stopping', since: now, attempt, because }, { type: 'end-children' });
const stopped = (now: number): Step => enter({ phase: 'stopped', since: now }, { type: 'leave' });
const enter = (state: State, ...effects: Effect[]): Step => ({ state, effects });
const stay = (state: State): Step => ({ state, effects: [] });
