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
 *                                                                              └── wanted, later ──► starting
 *
 *    ready ── rest ──► stopping ── children-gone ──► away ── wanted ──► starting (wanted while it goes: starting again)
 *      ▲ │ rest: keeps    ▲ suspended                                     │ resumes
 *      │ └──► suspending ─┘   resuming ◄──────────────────────────────────┘
 *      │ wanted, not-suspended │ guest-ready
 *      └───────────────────────┘
 *
 * Nothing here waits, reads a clock or touches the world, so a test walks every reachable state.
 */
import type { Failure } from '../../system/failure.ts';
import { afterLoss, laterAttempt, refusedMs, type Policy } from './backoff.ts';
import type { Event, In, Phase, State } from './state.ts';
import { isResting, resting } from './resting.ts';
import {
  again,
  away,
  ending,
  enter,
  history,
  paused,
  savedIn,
  starting,
  startingAfresh,
  stay,
  stopped,
  suspending,
  up,
  type Step,
} from './steps.ts';

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

type Handler<P extends Phase> = (state: In<P>, event: Event, now: number, policy: Policy) => Step;

const phases: { readonly [P in Phase]: Handler<P> } = {
  stopped: (state, event, now) => {
    switch (event.type) {
      case 'start':
        return starting(1, now);
      case 'restart':
        return startingAfresh(now);
      case 'rest':
        return away(event.why, now, event.saved);
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
      case 'resumes':
        return enter({ phase: 'resuming', since: now, ...history(state) });
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
    const before = forgiven(state, state.since, now, policy);
    if (event.type === 'rest' && event.keeps === true) return suspending(before, event.why, now);
    return up(before, event, now, state);
  },

  paused: (state, event, now, policy) => {
    const { was } = state;
    const before = was.phase === 'ready' ? forgiven(state, was.since, now, policy) : state;
    switch (event.type) {
      case 'vm-resumed':
        return was.phase === 'ready'
          ? enter({ ...was, ...history(state) }, { type: 'release-door' })
          : enter({ ...was, since: now, ...history(state) });
      case 'vm-launched':
        if (was.phase === 'resuming') return stay(state);
        return stay({ ...state, was: { phase: 'booting', stage: undefined } });
      case 'lost':
        return was.phase === 'resuming'
          ? ending(state, { type: 'unfit', failure: event.failure }, now)
          : up(before, event, now, state);
      case 'guest-ready':
        return stay({ ...state, was: { phase: 'ready', since: now } });
      case 'vm-paused':
        return stay({ ...state, why: event.why });
      default:
        return up(before, event, now, state);
    }
  },

  stopping: (state, event, now, policy) => {
    switch (event.type) {
      case 'stop':
        return leaving(state) ? stay(state) : stay({ ...state, because: { type: 'asked' } });
      case 'evicted':
        return leaving(state) ? stay(state) : stay({ ...state, because: event });
      case 'rest':
        return leaving(state)
          ? stay(state)
          : stay({
              ...state,
              because: { type: 'rest', why: event.why, ...savedIn(state.because) },
            });
      case 'wanted':
        return isResting(state) ? again(state, event.why, event.type) : stay(state);
      case 'restart':
        return leaving(state) || (state.because.type === 'restart' && state.because.keeps !== true)
          ? stay(state)
          : again(state, event.why, event.type);
      case 'children-gone':
        return gone(state, now, policy);
      default:
        return stay(state);
    }
  },

  ...resting,

  'backing-off': (state, event, now) => {
    switch (event.type) {
      case 'rest':
        return away(event.why, now);
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

  failed: (state, event, now, policy) => {
    switch (event.type) {
      case 'stop':
        return stopped(now);
      case 'evicted':
        return stopped(now, event.failure);
      case 'start':
      case 'restart':
        return starting(1, now, state.because);
      case 'retry-due': {
        const { phase, since, attempt, because } = state;
        return enter({ phase, since, attempt, because }, { type: 'await-clients' });
      }
      case 'wanted':
        return state.until === undefined
          ? starting(laterAttempt(state.attempt, policy), now, state.because)
          : stay(state);
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

function gone({ attempt, because }: In<'stopping'>, now: number, policy: Policy): Step {
  switch (because.type) {
    case 'asked':
      return stopped(now);
    case 'evicted':
      return stopped(now, because.failure);
    case 'restart':
      return because.keeps === true ? starting(1, now) : startingAfresh(now);
    case 'unfit':
      return startingAfresh(now, because.failure);
    case 'rest':
      return away(because.why, now, because.saved);
    case 'lost': {
      const { failure } = because;
      const next = afterLoss(failure, attempt, policy);
      if (next.type === 'give-up') return failed(next.failure, attempt, now, policy);
      // What was lost on the way before says nothing of this one. There are few, and each is rejected once.
      if (next.type === 'other-way') return starting(1, now, failure);
      const { ms } = next;
      if (ms === 0) return starting(attempt + 1, now, failure);
      return enter(
        { phase: 'backing-off', since: now, attempt, until: now + ms, because: failure },
        { type: 'retry-after', ms },
      );
    }
  }
}

function failed(because: Failure, attempt: number, now: number, policy: Policy): Step {
  const ms = refusedMs(because, attempt, policy);
  return enter(
    { phase: 'failed', since: now, attempt, until: now + ms, because },
    { type: 'refuse-door' },
    { type: 'retry-after', ms },
  );
}

/** Whether nothing will come after this end. */
const leaving = ({ because }: In<'stopping'>): boolean =>
  because.type === 'asked' || because.type === 'evicted';
