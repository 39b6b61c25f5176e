/** Ends a start in order: the guest shuts down, then the VM program, then the network; what does not go is made to. */
import type { Layout } from '../../config/layout.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { powerOffByLogin } from '../../guest/login/power-off.ts';
import { AwakeClock } from '../../system/time/awake.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import { removePid } from '../../system/files/pidfile.ts';
import { until } from '../../system/time/wait.ts';
import type { VmControl, VmDriver } from '../../vm/vm-driver.ts';
import type { Running, RunningNetwork, RunningVm } from '../running.ts';
import { pidFiles } from './leftovers.ts';
import { discardSocket } from './upkeep.ts';

/**
 * Shares of the 25 s within which a stop is over, in ms: launchd is told 60. The guest's own shutdown takes 2 to 5 s;
 * pressing the button again costs nothing and helps a guest that was not listening yet.
 */
const timeouts = {
  guest: 16_000,
  frozenGuest: 3_000,
  pressEvery: 2_000,
  login: 5_000,
  hard: 2_000,
  program: 4_000,
};

interface StopContext {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  /** The guest's agent, once it has announced itself. */
  readonly agent: () => Pick<GuestAgent, 'shutdown'> | undefined;
  /** Nothing comes from the guest any more. */
  readonly closeConsole: () => Promise<void>;
  /** Whether the guest's sshd has announced itself. */
  readonly listens: () => boolean;
  /** The guest is known to be frozen: it is not asked for long. */
  readonly frozen: boolean;
  /** The VM program says that its guest does not run any more: it is not asked at all. */
  readonly dead: boolean;
  /** The state directory is ours: what lies there may be removed. */
  readonly isOurs: () => boolean;
  /** Aborts when there is no time for an orderly end. */
  readonly now: AbortSignal;
}

/** Ends everything in running and forgets its traces. Never rejects for a child's reasons. */
export async function stop(running: Running, context: StopContext): Promise<void> {
  const { tried, vm, network } = running;
  if (vm !== undefined) {
    await endVm(vm, context);
    if (context.isOurs()) clearVm(tried.driver, context);
    vm.machine?.close();
    await vm.output.close();
  }
  await context.closeConsole();
  if (network !== undefined) await endNetwork(network, context);
}

function clearVm(driver: VmDriver, { layout }: StopContext): void {
  removePid(pidFiles(layout, driver.name));
  // A VM program that was killed leaves them.
  for (const path of driver.stale(layout)) discardSocket(path);
}

/** The network goes last: HyperKit takes its loss for a press of the power button. */
async function endNetwork(network: RunningNetwork, { now, isOurs }: StopContext): Promise<void> {
  await network.child.stop(now.aborted ? 0 : network.graceMs);
  await network.output.close();
  if (!isOurs()) return;
  removePid(network.pid);
  for (const path of network.stale) discardSocket(path);
}

/** The guest first; then its program, by its own means and by signals. */
async function endVm({ child, machine }: RunningVm, context: StopContext): Promise<void> {
  const { clock, log, now } = context;
  const end = { seen: false };
  const ended = child.ended.then(() => (end.seen = true));
  // Who is dead already is asked for nothing.
  await Promise.resolve();
  const begun = clock.monotonic();
  let isLate = false;
  const limitMs = timeouts[context.frozen ? 'frozenGuest' : 'guest'];
  const cancelLimit = new AwakeClock(clock).after(limitMs, () => (isLate = true));
  const isOver = () => end.seen || now.aborted || isLate;
  const isAsked = machine !== undefined && !context.dead && !isOver();
  const asked = isAsked && (await askGuest(machine, { ended, isOver }, context));
  cancelLimit();
  if (end.seen) return log('info', 'vm-ended', { asked, ms: msSince(begun, clock) });
  log('warn', 'vm-does-not-end', { afterMs: msSince(begun, clock), now: now.aborted });
  if (!now.aborted) await hardStop(machine, ended, context);
  await child.stop(now.aborted ? 0 : timeouts.program);
}

const msSince = (begun: number, clock: Clock): number => Math.round(clock.monotonic() - begun);

/** Has the guest shut down, and waits until that `isOver`: by its agent, by its power button, by a login. True when one of them took it. */
async function askGuest(
  machine: VmControl,
  { ended, isOver }: { readonly ended: Promise<unknown>; readonly isOver: () => boolean },
  context: StopContext,
): Promise<boolean> {
  let asked = await askAgent(context);
  const asking = new AbortController();
  void ended.then(() => asking.abort());
  if (!asked && !context.frozen)
    void askAgain(machine, context, AbortSignal.any([context.now, asking.signal])).then(
      (did) => (asked ||= did),
    );
  while (!isOver()) {
    // Not waited for: a VM program that hangs does not answer.
    void machine.powerOff().then(
      () => (asked = true),
      () => undefined,
    );
    await waitFor(ended, timeouts.pressEvery, context);
  }
  asking.abort();
  return asked;
}

/** The guest is cut off where its program can do that better than by a signal. */
async function hardStop(
  machine: VmControl | undefined,
  ended: Promise<unknown>,
  context: StopContext,
): Promise<void> {
  if (machine?.hardStop === undefined) return;
  void machine.hardStop().catch(() => undefined);
  await waitFor(ended, timeouts.hard, context);
}

/** Asks the guest's agent first: it works even where no ACPI daemon listens to the button. True when it did not refuse. */
async function askAgent({ agent, frozen, now }: StopContext): Promise<boolean> {
  const announced = agent();
  if (announced === undefined || frozen) return false;
  try {
    await announced.shutdown(now);
    return true;
  } catch {
    // Silence is an answer too: the button comes next.
    return false;
  }
}

/**
 * Asks whoever can be asked, until one obeys, while the button is pressed: a guest that still boots gets its agent soon, one whose
 * agent is gone can be logged in to, and on arm64 without firmware there is no button.
 */
async function askAgain(
  { tunnel }: VmControl,
  context: StopContext,
  signal: AbortSignal,
): Promise<boolean> {
  const { layout, clock, listens } = context;
  const login = { tunnel, layout, signal, timeoutMs: timeouts.login };
  while (!signal.aborted) {
    if (listens() && (await powerOffByLogin(login))) return true;
    if (await askAgent(context)) return true;
    await clock.sleep(timeouts.pressEvery, signal).catch(() => undefined);
  }
  return false;
}

const waitFor = async (
  ended: Promise<unknown>,
  timeoutMs: number,
  { clock, now }: StopContext,
): Promise<void> => {
  try {
    await until(() => false, { clock, signal: now, everyMs: timeoutMs, timeoutMs, orEnded: ended });
  } catch {
    // "now": the caller looks at the signal.
  }
};
