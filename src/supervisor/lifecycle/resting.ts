/** The phases of a guest that nobody needs: it goes as a file, is away, and comes back. Pure; a part of lifecycle.ts. */
import type { Event, In, Rest, Saved, State } from './state.ts';
import {
  ending,
  enter,
  history,
  insteadIn,
  paused,
  starting,
  startingAfresh,
  stay,
  stopped,
  up,
  type Handler,
  type Step,
} from './steps.ts';

const suspending: Handler<'suspending'> = (state, event, now) => {
  const { wanted } = state;
  switch (event.type) {
    case 'wanted':
      return wanted === undefined
        ? enter({ ...state, wanted: event.why }, { type: 'cancel-suspend' })
        : stay(state);
    case 'not-suspended':
      return notSuspended(state, event, now);
    // Not by us: its disk failed, say, and what it was about to write waits in it.
    case 'vm-paused': {
      const step = paused(state, { phase: 'ready', since: now }, event.why, now);
      return { ...step, effects: [{ type: 'cancel-suspend' }, ...step.effects] };
    }
    // It was to go anyway.
    case 'lost':
      return gone(state, now, { instead: event.failure.message });
    case 'suspended':
      return gone(state, now, event);
    case 'rest':
      return stay(state);
    default:
      return up(state, event, now);
  }
};

/** A build is never interrupted, but by whoever says so. */
function notSuspended(
  state: In<'suspending'>,
  event: Extract<Event, { type: 'not-suspended' }>,
  now: number,
): Step {
  const { why, wanted } = state;
  return wanted !== undefined || (event.inUse === true && !isForced(why))
    ? enter({ phase: 'ready', since: now, ...history(state) }, { type: 'release-door' })
    : ending(state, { type: 'rest', why, ...insteadIn(event) }, now);
}

const isForced = (why: Rest): boolean => why.type === 'asked' && why.isForced === true;

function gone(
  state: In<'suspending'>,
  now: number,
  { saved, ...reason }: { readonly saved?: Saved | undefined; readonly instead?: string },
): Step {
  const { why, wanted } = state;
  const left = saved === undefined ? {} : { saved };
  return wanted === undefined
    ? ending(state, { type: 'rest', why, ...left, ...insteadIn(reason) }, now)
    : ending(state, { type: 'restart', why: wanted, keeps: true, ...left }, now);
}

const resuming: Handler<'resuming'> = (state, event, now) => {
  switch (event.type) {
    case 'guest-ready':
      return enter({ phase: 'ready', since: now, ...history(state) }, { type: 'release-door' });
    case 'vm-paused':
      return paused(state, { phase: 'resuming' }, event.why, now);
    // Its file is used up: what it has in memory would be lost. Whoever wants it to go asks again when it is back.
    case 'rest':
      return stay(state);
    // It says nothing of the image, or of the program: a guest that boots may do as well as ever.
    case 'lost':
      return ending(state, { type: 'unfit', failure: event.failure }, now);
    default:
      return up(state, event, now);
  }
};

const isAway: Handler<'away'> = (state, event, now) => {
  switch (event.type) {
    case 'stop':
      return stopped(now);
    case 'evicted':
      return stopped(now, event.failure);
    case 'start':
    case 'wanted':
      return starting(1, now);
    case 'restart':
      return startingAfresh(now);
    case 'no-files': {
      const { saved, ...stopped } = state;
      return enter(saved === undefined ? state : stopped, { type: 'discard-saved' });
    }
    default:
      return stay(state);
  }
};

/** By phase, as lifecycle.ts has them. */
export const resting = { suspending, resuming, away: isAway };

/** Whether a client of ssh that waits at the door brings the guest: that rests, or a try, since the last ones were some time ago. */
export const heedsClients = (state: State): boolean =>
  isResting(state) || (state.phase === 'failed' && state.until === undefined);

/** Whether somebody who wants the guest changes anything: it is away, or goes for no other reason than that nobody needs it. */
export const isResting = (state: State): boolean =>
  state.phase === 'away' ||
  (state.phase === 'suspending' && state.wanted === undefined) ||
  (state.phase === 'stopping' && state.because.type === 'rest');
