/** What the front door has to know of the guest of a start. */
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { askLoggedIn } from '../../guest/agent/logged-in.ts';
import { loginSeconds } from '../../vm/login-time.ts';
import type { WayIn } from '../health/login-watch.ts';
import type { Scope } from '../scope.ts';

/** The agent of a start's guest, once that has announced itself. */
export const announcedAgent = (scope: Scope | undefined): GuestAgent | undefined =>
  scope?.guest.has('agent') === true ? scope.guest.agent : undefined;

/** Into the guest of a start; undefined where there is none. */
export function wayIntoGuest(scope: Scope): WayIn | undefined {
  const { running, facts, guest } = scope;
  const machine = running.vm?.machine;
  if (machine === undefined) return undefined;
  return {
    tunnel: machine.tunnel,
    loginMs: loginSeconds(facts.all.accelerator) * 1000,
    takeGreeted: () => scope.takeGreeted(),
    askLoggedIn: async (known, signal) =>
      guest.has('agent') ? askLoggedIn(guest.agent, { known, signal }) : undefined,
  };
}
