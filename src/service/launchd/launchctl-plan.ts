/**
 * How launchd is talked to: which call comes next, given what the last one said. Pure: a plan yields calls and takes replies; perform()
 * makes them.
 */
import type { LaunchctlReply } from './launchctl.ts';

/** What a plan wants next. */
type Call =
  | { readonly type: 'launchctl'; readonly argv: readonly string[] }
  | { readonly type: 'sleep'; readonly ms: number };

/** Yields a call, is given its reply, and ends with what came of it. */
export type LaunchctlPlan<T> = Generator<Call, T, LaunchctlReply>;

export function* call(...argv: readonly string[]): LaunchctlPlan<LaunchctlReply> {
  return yield { type: 'launchctl', argv };
}

export function* sleep(ms: number): LaunchctlPlan<undefined> {
  yield { type: 'sleep', ms };
  return undefined;
}
