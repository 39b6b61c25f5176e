/** The vocabulary of the builder's life: what can be true, what can happen, what can be done about it. */
import type { Failure } from '../../system/failure.ts';
import type { Verdict } from '../../domain/verdicts.ts';
import type { Pause } from '../../vm/vm-driver.ts';

/** Why the children are being ended. The first reason wins and is kept. */
export type Because =
  | { readonly type: 'asked' }
  /** `keeps`: it comes back to whoever wants it as it was, where it was saved. `saved`: the file is there, whatever comes next. */
  | {
      readonly type: 'restart';
      readonly why: string;
      readonly keeps?: true;
      readonly saved?: Saved;
    }
  /** Nobody needs it now. */
  | ({ readonly type: 'rest'; readonly why: Rest; readonly saved?: Saved } & Instead)
  /** It could not go on from its file. */
  | { readonly type: 'unfit'; readonly failure: Failure }
  | { readonly type: 'lost'; readonly failure: Failure }
  /** There is no place to go on in. */
  | { readonly type: 'evicted'; readonly failure: Failure };

/** Why a guest is stopped that could have been suspended: a clause, or a sentence. */
interface Instead {
  readonly instead?: string;
}

/** What a guest left of itself that is away as a file. */
export interface Saved {
  /** What it takes on the host's disk. */
  readonly bytes: number;
  /** Wall time, ISO 8601. */
  readonly at: string;
}

/** Why a guest is away, or goes. */
export type Rest =
  /** Nobody has used it for so long. */
  | { readonly type: 'unused'; readonly forMs: number }
  /** Nobody uses it, and this machine runs on its battery, or is short of memory. */
  | { readonly type: 'battery' | 'memory' }
  /** Somebody sent it away; `isForced`: whoever is in it. */
  | { readonly type: 'asked'; readonly isForced?: true }
  /** Since the daemon began nobody has needed it. */
  | { readonly type: 'not-needed-yet' };

/**
 * `attempt` counts starts in a row that have not been stable; `since` is wall time in ms at entry; `last` is what the start
 * before this one was lost to.
 */
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
      readonly last?: Failure;
    }
  | {
      readonly phase: 'ready';
      readonly since: number;
      readonly attempt: number;
      readonly last?: Failure;
    }
  | {
      readonly phase: 'paused';
      readonly since: number;
      readonly attempt: number;
      readonly was: Was;
      readonly why: PauseReason;
      readonly last?: Failure;
    }
  /** It is being put into a file; until its VM process ends, who wants it (`wanted`: why) gets it back at once. */
  | {
      readonly phase: 'suspending';
      readonly since: number;
      readonly attempt: number;
      readonly why: Rest;
      readonly wanted?: string;
      readonly last?: Failure;
    }
  /** It goes on from its file. */
  | {
      readonly phase: 'resuming';
      readonly since: number;
      readonly attempt: number;
      readonly last?: Failure;
    }
  | {
      readonly phase: 'stopping';
      readonly since: number;
      readonly attempt: number;
      readonly because: Because;
    }
  /** No guest, and none comes until somebody wants it; the daemon lives, and the door holds who comes. */
  | ({
      readonly phase: 'away';
      readonly since: number;
      readonly why: Rest;
      /** Undefined: it is stopped. */
      readonly saved?: Saved;
    } & Instead)
  | {
      readonly phase: 'backing-off';
      readonly since: number;
      readonly attempt: number;
      readonly until: number;
      readonly because: Failure;
    }
  /** Whoever comes before `until` is sent off; without it a client of ssh that comes brings another try. */
  | {
      readonly phase: 'failed';
      readonly since: number;
      readonly attempt: number;
      readonly until?: number;
      readonly because: Failure;
    };

/** What a paused guest was before, and will be again; a start waits where its guest could not be paused. */
export type Was =
  | { readonly phase: 'starting' | 'resuming' }
  | { readonly phase: 'booting'; readonly stage: string | undefined }
  | { readonly phase: 'ready'; readonly since: number };

/** Why a VM stands still. */
export type PauseReason = Pause;

/** The name of a state, as the status tells it. */
export type Phase = State['phase'];
/** The state in one phase. */
export type In<P extends Phase> = Extract<State, { phase: P }>;

/** What happened, or was asked. */
export type Event =
  | { readonly type: 'start' }
  /** Nobody needs the guest now: it goes away until it is wanted. `keeps`: as a file; `saved`: it is one already. */
  | ({
      readonly type: 'rest';
      readonly why: Rest;
      readonly keeps?: boolean;
      readonly saved?: Saved | undefined;
    } & Instead)
  /** Its VM process has ended; without `saved` there is no file to go on from. */
  | ({ readonly type: 'suspended'; readonly saved: Saved | undefined } & Instead)
  /** It runs on. `inUse`: somebody is in it, or it does not say. */
  | ({ readonly type: 'not-suspended'; readonly inUse?: true } & Instead)
  /** The settings are others: what is in memory shall be in no file. */
  | { readonly type: 'no-files' }
  /** This start found a guest that goes on from its file. */
  | { readonly type: 'resumes' }
  /** Somebody needs the guest: a client of ssh waits at the door, or a person asks. `isTrial`: nobody does, but it is seen whether it comes back. */
  | { readonly type: 'wanted'; readonly why: string; readonly isTrial?: true }
  | { readonly type: 'stop' }
  | { readonly type: 'restart'; readonly why: string }
  | { readonly type: 'vm-launched' }
  | { readonly type: 'stage'; readonly name: string }
  | { readonly type: 'guest-ready' }
  | { readonly type: 'vm-paused'; readonly why: PauseReason }
  | { readonly type: 'vm-resumed' }
  | { readonly type: 'lost'; readonly failure: Failure }
  | { readonly type: 'evicted'; readonly failure: Failure }
  | { readonly type: 'children-gone' }
  | { readonly type: 'retry-due' };

/** What is to be done, as data. */
export type Effect =
  /** Begin a start: leftovers, disk, seed, network, VM; news comes back as events. `afresh`: not from a file. */
  | { readonly type: 'launch'; readonly afresh: boolean }
  /** Hold new connections, and put the guest into a file; ends in `suspended` or `not-suspended`. */
  | { readonly type: 'suspend'; readonly why: Rest }
  /** Somebody wants it: have it run on, if that can be. */
  | { readonly type: 'cancel-suspend' }
  /** Remove the file of a guest that is away. */
  | { readonly type: 'discard-saved' }
  /** End the current start: cancel its waits, then guest, VM and network in order; ends in `children-gone`. */
  | { readonly type: 'end-children' }
  | { readonly type: 'retry-after'; readonly ms: number }
  /** Keep in mind that a way does not work. */
  | { readonly type: 'reject'; readonly verdict: Verdict }
  /** Let held connections through. */
  | { readonly type: 'release-door' }
  /** Hold new connections; those that are through stay. */
  | { readonly type: 'hold-door' }
  /** Have the door open, and hold whoever comes. */
  | { readonly type: 'await-clients' }
  /** No guest will come by itself: send held connections off. */
  | { readonly type: 'refuse-door' }
  /** Nothing more will happen: the process may leave; `why` where nobody asked for that. */
  | { readonly type: 'leave'; readonly why?: Failure };

/** A change of phase, for the log. */
export const phaseChange = (was: Phase, phase: Phase, event: Event) => ({
  phase,
  was,
  on: event.type,
  ...reasonIn(event),
});

/** Why something was asked or lost, where the event says it. */
const reasonIn = (event: Event) =>
  'failure' in event ? { failure: event.failure } : 'why' in event ? { why: event.why } : {};
