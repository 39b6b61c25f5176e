/** The children that an earlier daemon may have left: who they are, and how they are asked to end. */
import { basename } from 'node:path';
import type { Network } from '../../domain/guest-network.ts';
import type { Layout } from '../../config/layout.ts';
import { vmNames } from '../../domain/vm-programs.ts';
import { systemNames } from '../../domain/guest-system.ts';
import { networkDrivers, userNetwork } from '../../net/networks.ts';
import { signalGroup } from '../../system/process/child.ts';
import { processNames } from '../../system/process/find-program.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import { readLive } from '../../system/files/pidfile.ts';
import type { VmDriver } from '../../vm/vm-driver.ts';
import { vmDrivers } from '../../vm/vm-drivers.ts';
import { qemuProgram } from '../../vm/qemu/qemu-argv.ts';
import { endLeftover, isLeft, type Leftover } from './end-leftover.ts';

/** Where a child of that program name leaves its pid. */
export const pidFiles = (layout: Layout, name: string) => ({
  plain: layout.pid(name),
  record: layout.pidRecord(name),
});

/** Whose leftovers are looked for. */
export interface LeftBehind {
  readonly layout: Layout;
  /** The VM driver of the coming start: whoever holds the lock without a record is taken for its program. */
  readonly driver: VmDriver;
  /** Name of that driver's program. */
  readonly program: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Ends what is left of an earlier start, in its order: the VM first, then its network; and a trial of an accelerator. */
export async function endLeftovers(what: LeftBehind, signal: AbortSignal): Promise<void> {
  const { clock, log } = what;
  await endLeftover(vmLeftover(what), clock, signal, log);
  await endLeftover(networkLeftover(what), clock, signal, log);
  await endLeftover(trialLeftover(what), clock, signal, log);
  log('info', 'leftovers-judged');
}

/** Whether any of them is left. */
export async function isAnyLeft(what: LeftBehind): Promise<boolean> {
  const all = [vmLeftover(what), networkLeftover(what), trialLeftover(what)];
  return (await Promise.all(all.map((each) => isLeft(each)))).includes(true);
}

/** The VM process: of the driver that its record names, since the config may have changed. */
function vmLeftover({ layout, driver, program, clock }: LeftBehind): Leftover {
  const recorded = vmNames.find((name) => readLive(pidFiles(layout, name)) !== undefined);
  const theirs = recorded === undefined ? driver : vmDrivers[recorded];
  const pid = pidFiles(layout, theirs.name);
  const live = readLive(pid);
  return {
    what: 'vm',
    lock: layout.vmLock,
    pid,
    otherPids: vmNames.map((name) => pidFiles(layout, name)),
    opens: [layout.disk],
    program: theirs === driver ? basename(program) : (live?.program ?? theirs.name),
    orPrograms: Object.values(vmDrivers).flatMap((each) =>
      systemNames.flatMap((system) => processNames(each.program({ system }))),
    ),
    // Not the console: what an earlier guest wrote last goes to the log when it is opened.
    stale: Object.values(vmDrivers).flatMap((each) => each.stale(layout)),
    askToEnd: (signal, asked) =>
      within((inTime) => pressButton(inTime, asked), { ...askDeadline, clock, signal }),
  };

  async function pressButton(signal: AbortSignal, asked: number | undefined): Promise<void> {
    const signalVm = (name: NodeJS.Signals) => {
      if (asked === undefined) throw new Error('it is not known which process it is');
      signalGroup(asked, name);
    };
    const machine = await theirs.attach({ layout, clock, signal, signalVm, network: unused });
    try {
      await machine.powerOff();
    } finally {
      machine.close();
    }
  }
}

/** The network process. Nothing can be asked of it: its guest is gone. */
function networkLeftover({ layout }: LeftBehind): Leftover {
  const live = networkDrivers.find(({ name }) => readLive(pidFiles(layout, name)) !== undefined);
  const driver = live ?? networkDrivers[0];
  return {
    what: 'network',
    lock: layout.networkLock,
    pid: pidFiles(layout, driver?.name ?? 'vpnkit'),
    otherPids: networkDrivers.map(({ name }) => pidFiles(layout, name)),
    program: driver?.name ?? 'vpnkit',
    orPrograms: networkDrivers.map(({ name }) => name),
    ...(live === undefined ? {} : { graceMs: live.graceMs }),
    stale: networkDrivers.flatMap((each) => each.stale(layout)),
    askToEnd: () => Promise.reject(new Error('a network program cannot be asked')),
  };
}

/** A trial's guest. It has no record, and so is given the time in which one that is waited for would be over: doctor makes them too. */
const trialLeftover = ({ layout }: LeftBehind): Leftover => ({
  what: 'trial',
  lock: layout.trialLock,
  pid: pidFiles(layout, 'trial'),
  program: qemuProgram({ system: 'x86_64-linux' }),
  orPrograms: systemNames.flatMap((system) => processNames(qemuProgram({ system }))),
  stale: [layout.trialConsole, layout.trialOutput],
  askToEnd: () => Promise.reject(new Error('a trial cannot be asked')),
});

/** Nobody goes through a guest that is ended: which way would lead to it need not be found out. */
const unused: Network = { ...userNetwork, tunnel: { kind: 'tcp', host: '127.0.0.1', port: 0 } };

export const askDeadline = {
  timeoutMs: 3_000,
  late: () =>
    ({
      kind: 'leftover-silent',
      message: 'A VM process of an earlier daemon does not answer.',
      hint: 'It is terminated.',
      exit: Exit.temporary,
    }) as const,
};
