/** Waits for the end of a boot: when its sshd listens, the guest is asked whether Nix can use it, again and again. */
import type { Layout } from '../../config/layout.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { loadProbe, probeGuest, type Probe } from '../../guest/login/probe.ts';
import { Exit, Failed, failureOf, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import type { VmControl } from '../../vm/vm-driver.ts';
import { bootTimedOut } from './child-failures.ts';

/** The VM whose guest boots. */
export type Booting = Pick<VmControl, 'tunnel' | 'look'>;

/** Of a guest that Nix can use. */
export type GoodProbe = Extract<Probe, { ok: true }>;

/** What the console has shown of a boot. */
interface BootProgress {
  /** The time that it is given: it stands still while the guest checks its disk. */
  readonly clock: Clock;
  /** Aborts when the guest's sshd listens. */
  readonly listens: AbortSignal;
  /** The first stage that it has not reached; undefined where it has reached all. */
  readonly missing: () => string | undefined;
}

interface Waiting {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  readonly agent: GuestAgent;
  /** The console's last lines, for failures. */
  readonly lastLines: () => readonly string[];
  readonly boot: BootProgress;
  readonly machine: Booting;
}

/** A whole boot takes 10 to 15 s where code is translated, 1 to 2 s otherwise. */
const bootTimeoutMs = 180_000;
/** A check of a full disk takes minutes, which do not count; one that takes longer than this hangs. */
const diskCheckMs = 3_600_000;
const stateEveryMs = 2_000;
const probeTimeoutMs = 20_000;
const probeEveryMs = 200;

/** What the guest says that Nix can use. Rejects with `boot-timed-out`, or when signal aborts. */
export async function untilBooted(waiting: Waiting, signal: AbortSignal): Promise<GoodProbe> {
  const over = new AbortController();
  void lookOften(waiting, AbortSignal.any([signal, over.signal]));
  return untilUsable(waiting, signal).finally(() => over.abort());
}

/** Nobody misses the guest yet: the state of its VM is asked for, beside what is told of it. */
async function lookOften({ clock, machine }: Waiting, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(stateEveryMs, signal);
      await machine.look?.();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function untilUsable(waiting: Waiting, signal: AbortSignal): Promise<GoodProbe> {
  const { layout, clock, log, boot, lastLines } = waiting;
  const { tunnel } = waiting.machine;
  let last: Probe | undefined;
  const missing = () => (last?.ok === false ? last : (boot.missing() ?? 'ready'));
  const late = () => bootTimedOut(bootTimeoutMs / 1000, missing(), lastLines());
  const work = async (inTime: AbortSignal) => {
    await Promise.all([untilListens(boot.listens, inTime), loadProbe()]);
    for (;;) {
      const timeoutMs = probeTimeoutMs;
      last = await probeGuest({ tunnel, layout, clock, signal: inTime, timeoutMs });
      if (last.ok) return last;
      if (last.requirement === 'ssh-missing') throw new Failed(last.failure);
      log('debug', 'not-ready-yet', { requirement: last.requirement, detail: last.detail });
      if (last.requirement === 'clock') await setClock(waiting, inTime);
      await clock.sleep(probeEveryMs, inTime);
    }
  };
  const inBootTime = { clock: boot.clock, timeoutMs: bootTimeoutMs, late };
  const atMost = { clock, timeoutMs: bootTimeoutMs + diskCheckMs, late, signal };
  return within((outer) => within(work, { ...inBootTime, signal: outer }), atMost);
}

async function untilListens(listens: AbortSignal, signal: AbortSignal): Promise<void> {
  if (listens.aborted) return;
  await new Promise<void>((resolve, reject) => {
    listens.addEventListener('abort', () => resolve(), { once: true, signal });
    signal.addEventListener('abort', () => reject(new Failed(startCancelled)), { once: true });
  });
}

/** The guest's clock from the host's: after a long pause of the VM it is behind. */
async function setClock({ agent, log }: Waiting, signal: AbortSignal): Promise<void> {
  try {
    await agent.setTime(undefined, signal);
  } catch (error) {
    log('warn', 'clock-not-set', { failure: failureOf(error) });
  }
}

/** The start was ended while its sshd was awaited. */
export const startCancelled: Failure = {
  kind: 'stopped',
  message: 'The start was cancelled.',
  hint: '',
  exit: Exit.temporary,
};
