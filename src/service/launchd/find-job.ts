/** Where our job is loaded, or would be: asked of launchd. Pure: see launchctl-plan.ts. */
import { label } from './launch-agent.ts';
import { call, type LaunchctlPlan } from './launchctl-plan.ts';
import { meaningOf, parseList, parsePrint, type JobState } from './launchctl.ts';

/** With which generation of commands. */
export type Target = ModernTarget | { readonly kind: 'legacy' };
export interface ModernTarget {
  readonly kind: 'modern';
  readonly domain: string;
}

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
export function* lookAt(target: Target): LaunchctlPlan<JobState> {
  const modern = target.kind === 'modern';
  const reply = modern
    ? yield* call('print', `${target.domain}/${label}`)
    : yield* call('list', label);
  if (meaningOf(reply) !== 'ok') return { loaded: false };
  return modern ? parsePrint(reply.stdout) : parseList(reply.stdout);
}
