/** What a ready guest's liveness is judged by: its agent, its sshd, logins, its console and its disk. */
import type { Layout } from '../../config/layout.ts';
import { greets } from '../../door/guest-connection.ts';
import type { Console } from '../../guest/console/console.ts';
import { probeGuest } from '../../guest/login/probe.ts';
import type { VmControl } from '../../vm/vm-driver.ts';
import type { StartFacts } from '../start/start-facts.ts';
import { Logins, loginTimeoutMs } from './login.ts';
import { LivenessMonitor, type LivenessMonitorOptions } from './monitor.ts';

interface Monitored extends Pick<
  LivenessMonitorOptions,
  'clock' | 'log' | 'signal' | 'agent' | 'doorBytes' | 'isUsed' | 'onHealth'
> {
  readonly layout: Layout;
  readonly facts: Pick<StartFacts, 'note'>;
  readonly machine: VmControl;
  readonly console: Pick<Console, 'bytes'>;
}

/** It watches from now on. */
export function monitorOf(guest: Monitored): LivenessMonitor {
  const { facts, machine, console } = guest;
  const { tunnel } = machine;
  const login = { ...guest, tunnel, timeoutMs: loginTimeoutMs };
  return new LivenessMonitor({
    ...guest,
    greets: (signal) => greets(tunnel, { ...guest, signal }),
    logins: new Logins({
      ...guest,
      logIn: (signal) => probeGuest({ ...login, signal }),
      onLogin: (found) => facts.note({ login: found }),
    }),
    consoleBytes: () => console.bytes,
    diskOperations: () => machine.diskOperations(),
    onClock: (offsetMs) => facts.note({ clockOffsetMs: offsetMs }),
  });
}
