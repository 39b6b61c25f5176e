/** The phases after an end: what comes next of a guest that is gone, or going. Pure; a part of lifecycle.ts. */
import type { Failure } from '../../system/failure.ts';
import { afterLoss, laterAttempt, refusedMs, type Policy } from './backoff.ts';
import type { Because, Event, In } from './state.ts';
import { isResting } from './resting.ts';
import {
  again,
  away,
  enter,
  insteadIn,
  savedIn,
  starting,
  startingAfresh,
  stay,
  stopped,
  type Handler,
  type Step,
} from './steps.ts';

const stopping: Handler<'stopping'> = (state, event, now, policy) => {
  switch (event.type) {
    case 'stop':
      return leaving(state) ? stay(state) : stay({ ...state, because: { type: 'asked' } });
    case 'evicted':
      return leaving(state) ? stay(state) : stay({ ...state, because: event });
    case 'rest':
      return leaving(state) ? stay(state) : stay({ ...state, because: goes(state, event) });
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
};

/** It stays away, as what was left of it; where it was on its way out already, for the reason that was told then. */
const goes = ({ because }: In<'stopping'>, event: Extract<Event, { type: 'rest' }>): Because => ({
  type: 'rest',
  why: event.why,
  ...savedIn(because),
  ...insteadIn(because.type === 'rest' ? because : {}),
});

/** Whether nothing will come after this end. */
const leaving = ({ because }: In<'stopping'>): boolean =>
  because.type === 'asked' || because.type === 'evicted';

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
      return away(because.why, now, because.saved, because.instead);
    case 'lost': {
      const { failure } = because;
      const next = afterLoss(failure, attempt, policy);
      if (next.type === 'give-up') return giveUp(next.failure, attempt, now, policy);
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

function giveUp(because: Failure, attempt: number, now: number, policy: Policy): Step {
  const ms = refusedMs(because, attempt, policy);
  return enter(
    { phase: 'failed', since: now, attempt, until: now + ms, because },
    { type: 'refuse-door' },
    { type: 'retry-after', ms },
  );
}

const backingOff: Handler<'backing-off'> = (state, event, now) => {
  switch (event.type) {
    case 'rest':
      return away(event.why, now, event.saved);
    case 'no-files':
      return enter(state, { type: 'discard-saved' });
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
};

const failed: Handler<'failed'> = (state, event, now, policy) => {
  switch (event.type) {
    case 'stop':
      return stopped(now);
    case 'evicted':
      return stopped(now, event.failure);
    case 'start':
    case 'restart':
      return starting(1, now, state.because);
    // It may not have come as far as the file of the guest that was away.
    case 'no-files':
      return enter(state, { type: 'discard-saved' });
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
};

/** By phase, as lifecycle.ts has them. */
export const afterEnd = { stopping, 'backing-off': backingOff, failed };
