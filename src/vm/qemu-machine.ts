/** A running QEMU, through its machine protocol (QMP). */
import { Exit, Failed } from '../system/failure.ts';
import type { AttachOptions, Machine, VmDriver } from './driver.ts';
import { qemuNetwork, qemuPlan, qemuProgram } from './qemu.ts';
import { connectQmp, parseUsernet, type QmpEvent } from './qmp.ts';

export const qemu: VmDriver = {
  name: 'qemu',
  network: qemuNetwork,
  program: qemuProgram,
  plan: qemuPlan,
  attach: attachQemu,
};

/** Connects when QEMU's socket appears and asks which host port it chose for the guest's sshd. */
export async function attachQemu({ layout, clock, signal }: AttachOptions): Promise<Machine> {
  let reason: string | undefined;
  const onEvent = (event: QmpEvent) => {
    if (event.type === 'shutdown') reason ??= event.reason;
  };
  const qmp = await connectQmp({ path: layout.qmp, clock, signal, onEvent });
  const usernet = await qmp.hmp('info usernet');
  const forward = parseUsernet(usernet);
  if (forward === undefined) {
    qmp.close();
    throw new Failed(noForward(usernet));
  }
  return {
    tunnel: { kind: 'tcp', host: '127.0.0.1', port: forward.port },
    powerOff: async () => {
      await qmp.execute('system_powerdown');
    },
    reason: () => reason,
    close: () => qmp.close(),
  };
}

const noForward = (said: string) => ({
  kind: 'vm-no-forward',
  message: `QEMU does not say which host port leads to the guest's sshd; it said: ${said.trim()}`,
  hint: 'This version of QEMU may print its table in another form: please report it with that text.',
  exit: Exit.software,
});
