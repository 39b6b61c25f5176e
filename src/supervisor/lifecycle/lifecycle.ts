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
 *    any phase with a VM, up to ready ── vm-paused ──► paused ── vm-resumed ──► what it was
 *
 * Nothing here waits, reads a clock or touches the world, so a test walks every reachable state.
 */
import { afterEnd } from './after-end.ts';
import type { Policy } from './backoff.ts';
import type { Event, In, Phase, State } from './state.ts';
import { resting } from './resting.ts';
import {
  away,
  ending,
  enter,
  history,
  paused,
  starting,
  startingAfresh,
  stay,
  suspending,
  up,
  type Handler,
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
        return goneOn(state, now);
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

  ...resting,
  ...afterEnd,
};

/** It is as it was before. */
const goneOn = ({ was, ...state }: In<'paused'>, now: number): Step =>
  was.phase === 'ready'
    ? enter({ ...was, ...history(state) }, { type: 'release-door' })
    : enter({ ...was, since: now, ...history(state) });

/** A life that was long enough forgives the failures before it. */
function forgiven<S extends { readonly attempt: number }>(
  state: S,
  readySince: number,
  now: number,
  policy: Policy,
): S {
  return now - readySince >= policy.stableMs ? { ...state, attempt: 0 } : state;
}
