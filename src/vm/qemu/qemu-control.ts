/** A running QEMU, through its machine protocol (QMP). */
import type { Layout } from '../../config/layout.ts';
import type { Tunnel } from '../../domain/tunnel.ts';
import { vmPrograms } from '../../domain/vm-programs.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { quoted } from '../../system/plain-text.ts';
import type { AttachOptions, VmControl, VmDriver } from '../vm-driver.ts';
import { qemuAbilities } from './qemu-abilities.ts';
import { explainQemu, lacksSlirp } from './qemu-exit.ts';
import { lackedEmulated } from './emulated.ts';
import { qemuPlan, qemuProgram } from './qemu-argv.ts';
import { QemuMemory } from './saved-memory.ts';
import { RunStateWatch } from './run-state-watch.ts';
import { connectQmp, parseUsernet } from './qmp.ts';
import type { QmpEvent } from './qmp-events.ts';
import { linkStatsIfThere } from '../../system/stats.ts';

export const qemu: VmDriver = {
  name: 'qemu',
  row: vmPrograms.qemu,
  problems: () => [],
  stale: ({ qmp, agent, guestSsh, memorySocket }) => [qmp, agent, guestSsh, memorySocket],
  awaitsGuest: ['-incoming', 'defer'],
  program: qemuProgram,
  abilities: qemuAbilities,
  guestLacks: lackedEmulated,
  plan: qemuPlan,
  attach: attachQemu,
  explain: explainQemu,
  lacksNetwork: lacksSlirp,
};

/** Connects when QEMU's socket appears and finds out which way it made to the guest's sshd. */
export async function attachQemu(options: AttachOptions): Promise<VmControl> {
  const { layout, clock } = options;
  const said: Said = { diskFull: false };
  const state = new RunStateWatch({ ...options, isDiskFull: () => said.diskFull });
  const onEvent = (event: QmpEvent) => hear(event, said, state);
  const qmp = await connectQmp({ ...options, path: layout.qmp, onEvent });
  void state.follow(qmp);
  const tunnel = await tunnelOf(options, qmp);
  return {
    tunnel,
    powerOff: () => powerOff(qmp),
    resume: async () => {
      await qmp.execute('cont');
    },
    memory: new QemuMemory(qmp, { clock, socket: layout.memorySocket }),
    diskOperations: async () => countOperations(await qmp.execute('query-blockstats')),
    describe: async () => ({
      status: await qmp.execute('query-status'),
      blockstats: await qmp.execute('query-blockstats'),
      registers: await qmp.hmp('info registers -a'),
    }),
    look: () => state.look(),
    reason: () => said.reason,
    close: () => qmp.close(),
  };
}

type Connection = Awaited<ReturnType<typeof connectQmp>>;

/** The way to the guest's sshd; where there is none, nobody needs the connection any more. */
async function tunnelOf({ network, layout }: AttachOptions, qmp: Connection): Promise<Tunnel> {
  try {
    return network.tunnel ?? forwardedSocket(layout) ?? (await forwardedPort(qmp));
  } catch (error) {
    qmp.close();
    throw error;
  }
}

/** Presses the button, for a guest that can hear it; one that cannot be there any more is cut off. */
async function powerOff(qmp: Connection): Promise<void> {
  const { status } = fieldsOf(await qmp.execute('query-status'));
  // It was saved, or is not there yet: it must not go on here, and there is nobody to hear a button.
  if (status === 'postmigrate' || status === 'inmigrate') {
    await qmp.execute('quit');
    return;
  }
  // A guest that is paused hears no button: one whose disk was full when its daemon was killed, for instance.
  await qmp.execute('cont').catch(() => undefined);
  await qmp.execute('system_powerdown');
}

/** QEMU makes it before it answers, and one of an earlier guest was removed before the launch. */
function forwardedSocket({ guestSsh: path }: Layout): Tunnel | undefined {
  const isThere = linkStatsIfThere(path)?.isSocket() === true;
  return isThere ? { kind: 'unix', path, hello: '', answer: '' } : undefined;
}

/** QEMU chose the host port that leads to the guest's sshd: it is asked for it. */
async function forwardedPort(qmp: Connection): Promise<Tunnel> {
  const usernet = await qmp.hmp('info usernet');
  const forward = parseUsernet(usernet);
  if (forward === undefined) throw new Failed(noForward(usernet));
  return { kind: 'tcp', host: '127.0.0.1', port: forward.port };
}

/** What QEMU's events have told so far. */
interface Said {
  reason?: string;
  /** The last disk error was for want of space: QEMU pauses the VM right after it (werror=stop). */
  diskFull: boolean;
}

/** Most of what happens to a VM is told with a STOP; which of it, its state says. */
function hear(event: QmpEvent, said: Said, state: RunStateWatch): void {
  switch (event.type) {
    case 'shutdown':
      said.reason ??= event.reason;
      return;
    case 'block-io-error':
      said.diskFull = event.noSpace && event.stopped;
      return;
    case 'stop':
    case 'suspend':
    case 'guest-panicked':
    case 'wakeup':
      return void state.look();
    case 'resume':
      said.diskFull = false;
      return state.goesOn();
    default:
      return;
  }
}

/** query-blockstats: a list of drives with counters of finished operations. What is no number counts for nothing. */
export function countOperations(answer: unknown): number {
  const drives = Array.isArray(answer) ? answer : [];
  const counters = drives.map((drive) => fieldsOf(fieldsOf(drive)['stats']));
  const names = ['rd_operations', 'wr_operations', 'flush_operations'];
  return counters.reduce<number>(
    (sum, stats) => names.reduce((s, name) => s + numberIn(stats[name]), sum),
    0,
  );
}

const numberIn = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : 0;

/** `said`: the text that was expected to name it. */
export const noForward = (said: string): Failure => ({
  kind: 'vm-no-forward',
  vmFault: 'lasts',
  message: `QEMU did not say which host port leads to the guest's sshd. It said: ${quoted(said) ?? 'nothing'}`,
  hint: 'This version of QEMU may use another format. Please report this, with that text.',
  exit: Exit.software,
  recovery: 'give-up',
});
