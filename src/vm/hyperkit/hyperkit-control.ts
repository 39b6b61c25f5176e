/** A running HyperKit: signals for its power button, and its vsock sockets for sshd and the guest agent. */
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Layout } from '../../config/layout.ts';
import type { Tunnel } from '../../domain/tunnel.ts';
import { vmPrograms } from '../../domain/vm-programs.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { relayTo, type Relay } from '../../system/socket/relay.ts';
import { awaitUnix } from '../../system/socket/unix-socket.ts';
import { until } from '../../system/time/wait.ts';
import type { AttachOptions, VmControl, VmDriver } from '../vm-driver.ts';
import { explainHyperkit } from './hyperkit-exit.ts';
import {
  hyperkitPlan,
  hyperkitProblems,
  hyperkitStale,
  vsockHello,
  vsockPorts,
} from './hyperkit-argv.ts';
import { advice, ours } from '../../system/advice.ts';

export const hyperkit: VmDriver = {
  name: 'hyperkit',
  row: vmPrograms.hyperkit,
  program: () => 'hyperkit',
  problems: hyperkitProblems,
  plan: hyperkitPlan,
  stale: hyperkitStale,
  attach: attachHyperkit,
  explain: explainHyperkit,
};

/** Devices are made in the order of their slots: the vsock socket comes when network and disk are connected. */
const devicesMs = 20_000;

/** Between the vsock socket and the console there is nothing that is waited for. */
const consoleMs = 5_000;

/** HyperKit's virtio-sock uses select(), which takes descriptors below 1024; there are others than those of streams. */
const vsockStreams = 500;

/** The vsock port as an address; `endsTogether` because HyperKit resets a half-closed stream after 30 s. */
export const vsockTunnel = ({ vsock }: Pick<Layout, 'vsock'>, port: number): Tunnel => ({
  kind: 'unix',
  path: vsock,
  hello: vsockHello(port),
  answer: '',
  endsTogether: true,
  atMost: vsockStreams,
});

/** Waits for HyperKit's devices and puts the agent's vsock port where everybody looks for the agent. */
export async function attachHyperkit(options: AttachOptions): Promise<VmControl> {
  const { layout, clock, signal, signalVm, isNew = false } = options;
  await within(
    async (inTime) => {
      // A look without words: HyperKit closes what does not say its 18 bytes.
      (await awaitUnix(layout.vsock, clock, inTime)).destroy();
    },
    { clock, timeoutMs: devicesMs, signal, late: () => hyperkitStuck(layout) },
  );
  if (isNew) await awaitConsole(layout, clock, signal);
  const relay = await relayAgent(layout);
  return {
    tunnel: vsockTunnel(layout, vsockPorts.ssh),
    /**
     * SIGTERM is the power button from the moment in which the guest enables ACPI, before its first instruction of ours.
     * Before that it ends HyperKit at once: nothing is mounted then. Repeats are swallowed until the guest has seen one.
     */
    powerOff: () => Promise.resolve(signalVm('SIGTERM')),
    resume: () => Promise.resolve(signalVm('SIGUSR2')),
    // It counts nothing; but each write of the guest is a write of this file, and nobody else writes it.
    diskOperations: async () => (await stat(layout.disk)).mtimeMs,
    describe: () => Promise.resolve({ tty: existsSync(layout.tty) }),
    reason: () => undefined,
    close: () => {
      relay.close();
    },
  };
}

/**
 * The serial port is made right behind the vsock socket, at the last slot. A HyperKit that cannot make its terminal or its ring
 * says so on stderr ("creating autopty file", "open console-ring") and runs on without a console, by which a boot is followed.
 */
async function awaitConsole(layout: Layout, clock: Clock, signal: AbortSignal): Promise<void> {
  const isThere = () => existsSync(layout.consoleRing);
  const came = await until(isThere, { clock, signal, everyMs: 50, timeoutMs: consoleMs });
  if (came === 'held') return;
  signal.throwIfAborted();
  throw new Failed(noConsole(layout));
}

/** The agent's socket, as QEMU makes it, in front of the guest's vsock port. */
async function relayAgent(layout: Layout): Promise<Relay> {
  const relay = relayTo(vsockTunnel(layout, vsockPorts.agent));
  rmSync(layout.agent, { force: true });
  relay.server.listen(layout.agent);
  await once(relay.server, 'listening');
  relay.server.on('error', () => undefined);
  return relay;
}

/** It runs, and has made none of its devices. */
export const hyperkitStuck = ({ vsock }: Layout): Failure => ({
  kind: 'vm-stuck',
  vmFault: 'passes',
  message: `HyperKit did not create ${vsock} within ${devicesMs / 1000} s: it is stuck at its network or its disk.`,
  hint: advice`It retries a failing network connection silently. See the output of HyperKit and of the network program: ${ours('logs')}`,
  exit: Exit.unavailable,
});

/** HyperKit itself goes on without one. */
export const noConsole = ({ consoleRing, tty, state }: Layout): Failure => ({
  kind: 'vm-no-console',
  vmFault: 'passes',
  message: `HyperKit is running without a console: it could not create ${consoleRing} or ${tty}.`,
  hint: advice`Check the owner and permissions of ${state}, and whether the disk is full. See its output: ${ours('logs')}`,
  exit: Exit.cannotCreate,
});
