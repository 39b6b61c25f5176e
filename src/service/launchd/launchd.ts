/** What is asked of launchd, in which order, given what it said last. Pure: see launchctl-plan.ts. */
import { lookAt, type ModernTarget, type Target } from './find-job.ts';
import { label } from './launch-agent.ts';
import { call, sleep, type LaunchctlPlan } from './launchctl-plan.ts';
import { meaningOf, type LaunchctlReply, type Meaning } from './launchctl.ts';

/** What kept launchd from doing as asked. */
export interface Trouble {
  readonly command: string;
  readonly meaning: Meaning;
  readonly reply: LaunchctlReply;
}

/** A job takes at most ExitTimeOut (60 s) to leave. */
const leavingMs = 65_000;
/** How often launchd is asked whether the job is gone. */
const pollMs = 100;
/** Between attempts of a bootstrap that fails with 5: launchd may still be clearing away. */
const retryMs = [1_000, 2_000, 4_000];

/** Loads the job, which starts it. Undefined when it is loaded; else what was in the way. */
export function* load(target: Target, plist: string): LaunchctlPlan<Trouble | undefined> {
  // A label that was disabled once stays so, and bootstrap then only says 5.
  if (target.kind === 'modern') yield* call('enable', `${target.domain}/${label}`);
  if ((yield* lookAt(target)).loaded && !(yield* unload(target)))
    return { command: 'bootout', meaning: 'already', reply: { code: 0, stdout: '', stderr: '' } };
  return target.kind === 'legacy' ? yield* loadLegacy(plist) : yield* bootstrap(target, plist);
}

function* bootstrap(target: ModernTarget, plist: string): LaunchctlPlan<Trouble | undefined> {
  for (let attempt = 0; ; attempt++) {
    const reply = yield* call('bootstrap', target.domain, plist);
    const meaning = meaningOf(reply);
    if (meaning === 'ok' || (yield* lookAt(target)).loaded) return undefined;
    if (meaning === 'old') return yield* loadLegacy(plist);
    const ms = retryMs[attempt];
    if ((meaning !== 'io' && meaning !== 'already') || ms === undefined)
      return { command: 'bootstrap', meaning, reply };
    yield* sleep(ms);
  }
}

/** `load` says 0 also when it failed, so that the job is looked for. */
function* loadLegacy(plist: string): LaunchctlPlan<Trouble | undefined> {
  const reply = yield* call('load', '-w', plist);
  const { loaded } = yield* lookAt({ kind: 'legacy' });
  return loaded ? undefined : { command: 'load', meaning: 'bad-file', reply };
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
  const [command, reply] =
    target.kind === 'modern'
      ? ['kickstart', yield* call('kickstart', `${target.domain}/${label}`)]
      : ['start', yield* call('start', label)];
  const meaning = meaningOf(reply);
  return meaning === 'ok' ? undefined : { command, meaning, reply };
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
