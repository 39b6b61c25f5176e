/** What the front door has to know of the guest of a start. */
import type { GuestAgent } from '../guest/agent.ts';
import { askLoggedIn } from '../guest/logged-in.ts';
import { loginSeconds } from '../vm/login-time.ts';
import type { WayIn } from './login-watch.ts';
import type { Scope } from './scope.ts';

/** The agent of a start's guest, once that has announced itself. */
export const announcedAgent = (scope: Scope | undefined): GuestAgent | undefined =>
  scope?.watch.has('agent') === true ? scope.agent : undefined;

/** Into the guest of a start; undefined where there is none. */
export function wayInto({ running, facts, watch, agent }: Scope): WayIn | undefined {
  if (running.machine === undefined) return undefined;
  return {
    tunnel: running.machine.tunnel,
    loginMs: loginSeconds(facts.accelerator) * 1000,
    askLoggedIn: async (known, signal) =>
      watch.has('agent') ? askLoggedIn(agent, { known, signal }) : undefined,
  };
}
