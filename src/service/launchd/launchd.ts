/**
 * How launchd is talked to: which call comes next, given what the last one said. Pure: each plan yields calls and takes
 * replies; perform() makes them.
 */
import { label } from './launch-agent.ts';
import {
  meaningOf,
  parseList,
  parsePrint,
  type JobState,
  type Meaning,
  type LaunchctlReply,
} from './launchctl.ts';

/** What a plan wants next. */
type Call =
  | { readonly type: 'launchctl'; readonly argv: readonly string[] }
  | { readonly type: 'sleep'; readonly ms: number };

/** Yields a call, is given its reply, and ends with what came of it. */
export type LaunchctlPlan<T> = Generator<Call, T, LaunchctlReply>;

/** Where our job is or would be loaded, and with which generation of verbs. */
export type Target =
  { readonly kind: 'modern'; readonly domain: string } | { readonly kind: 'legacy' };

/** What kept launchd from doing as asked. */
export interface Trouble {
  readonly verb: string;
  readonly meaning: Meaning;
  readonly reply: LaunchctlReply;
}

/** A job takes at most ExitTimeOut (60 s) to leave. */
const leavingMs = 65_000;
/** How often launchd is asked whether the job is gone. */
const pollMs = 100;
/** Between attempts of a bootstrap that fails with 5: launchd may still be clearing away. */
const retryMs = [1_000, 2_000, 4_000];

/** Where the jobs of the system itself are: those that root alone may start and end. */
export const systemDomain = 'system';

/** Where the system's own job is loaded; an old launchctl has no name for that. */
export function* findSystemJob(): LaunchctlPlan<
  { readonly target: Target; readonly state: JobState } | undefined
> {
  const target = { kind: 'modern', domain: systemDomain } as const;
  const state = yield* lookAt(target);
  return state.loaded ? { target, state } : undefined;
}

/** The session to load into: that of the screen, else the one that any login has; undefined where there is none. */
export function* findTarget(uid: number): LaunchctlPlan<Target | undefined> {
  for (const domain of [`gui/${uid}`, `user/${uid}`]) {
    const meaning = meaningOf(yield* call('print', domain));
    if (meaning === 'ok') return { kind: 'modern', domain };
    if (meaning === 'old') return { kind: 'legacy' };
    if (meaning === 'missing') return undefined;
  }
  return undefined;
}

/** Where the job is loaded now. */
export function* findJob(
  uid: number,
): LaunchctlPlan<{ readonly target: Target; readonly state: JobState } | undefined> {
  for (const domain of [`gui/${uid}`, `user/${uid}`]) {
    const reply = yield* call('print', `${domain}/${label}`);
    const meaning = meaningOf(reply);
    if (meaning === 'ok')
      return { target: { kind: 'modern', domain }, state: parsePrint(reply.stdout) };
    if (meaning === 'missing') return undefined;
    if (meaning === 'old') {
      const target = { kind: 'legacy' } as const;
      const state = yield* lookAt(target);
      return state.loaded ? { target, state } : undefined;
    }
  }
  return undefined;
}

/** The job's state at a target. */
function* lookAt(target: Target): LaunchctlPlan<JobState> {
  const modern = target.kind === 'modern';
  const reply = modern
    ? yield* call('print', `${target.domain}/${label}`)
    : yield* call('list', label);
  if (meaningOf(reply) !== 'ok') return { loaded: false };
  return modern ? parsePrint(reply.stdout) : parseList(reply.stdout);
}

/** Loads the job, which starts it. Undefined when it is loaded; else what was in the way. */
export function* load(target: Target, plist: string): LaunchctlPlan<Trouble | undefined> {
  // A label that was disabled once stays so, and bootstrap then only says 5.
  if (target.kind === 'modern') yield* call('enable', `${target.domain}/${label}`);
  if ((yield* lookAt(target)).loaded && !(yield* unload(target)))
    return { verb: 'bootout', meaning: 'already', reply: { code: 0, stdout: '', stderr: '' } };
  if (target.kind === 'legacy') return yield* loadLegacy(plist);
  for (let attempt = 0; ; attempt++) {
    const reply = yield* call('bootstrap', target.domain, plist);
    const meaning = meaningOf(reply);
    if (meaning === 'ok' || (yield* lookAt(target)).loaded) return undefined;
    if (meaning === 'old') return yield* loadLegacy(plist);
    const ms = retryMs[attempt];
    if ((meaning !== 'io' && meaning !== 'already') || ms === undefined)
      return { verb: 'bootstrap', meaning, reply };
    yield* sleep(ms);
  }
}

/** `load` says 0 also when it failed, so that the job is looked for. */
function* loadLegacy(plist: string): LaunchctlPlan<Trouble | undefined> {
  const reply = yield* call('load', '-w', plist);
  const { loaded } = yield* lookAt({ kind: 'legacy' });
  return loaded ? undefined : { verb: 'load', meaning: 'bad-file', reply };
}

/** Unloads the job, which ends it. True when it is gone: bootout only begins it. */
export function* unload(target: Target): LaunchctlPlan<boolean> {
  if (target.kind === 'legacy') yield* call('remove', label);
  else yield* call('bootout', `${target.domain}/${label}`);
  for (let waited = 0; waited < leavingMs; waited += pollMs) {
    if (!(yield* lookAt(target)).loaded) return true;
    yield* sleep(pollMs);
  }
  return false;
}

/** Starts a job that is loaded; nothing when it runs. */
export function* kick(target: Target): LaunchctlPlan<Trouble | undefined> {
  const [verb, reply] =
    target.kind === 'modern'
      ? ['kickstart', yield* call('kickstart', `${target.domain}/${label}`)]
      : ['start', yield* call('start', label)];
  const meaning = meaningOf(reply);
  return meaning === 'ok' ? undefined : { verb, meaning, reply };
}

/**
 * Ends the job's process and sees that it stays ended; the job stays loaded. A process that was told in its very first
 * moment dies of the signal, which launchd takes for a crash: then the job is unloaded instead, until the next start.
 */
export function* halt(target: Target): LaunchctlPlan<'halted' | 'unloaded' | 'still-there'> {
  for (let waited = 0; waited < leavingMs; waited += pollMs) {
    const state = yield* lookAt(target);
    if (!state.loaded) return 'unloaded';
    if (state.returning) break;
    if (!state.running) return 'halted';
    if (waited === 0)
      if (target.kind === 'modern') yield* call('kill', 'SIGTERM', `${target.domain}/${label}`);
      else yield* call('stop', label);
    yield* sleep(pollMs);
  }
  return (yield* unload(target)) ? 'unloaded' : 'still-there';
}

function* call(...argv: readonly string[]): LaunchctlPlan<LaunchctlReply> {
  return yield { type: 'launchctl', argv };
}

function* sleep(ms: number): LaunchctlPlan<undefined> {
  yield { type: 'sleep', ms };
  return undefined;
}
