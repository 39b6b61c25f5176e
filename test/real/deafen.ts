/** A guest that hears nobody: what could be asked to shut it down stands still. */
import assert from 'node:assert/strict';
import type { BuilderRig } from './rig.ts';

const names = ['acpid', 'qemu-ga', 'sshd'];

/** Stops agent, sshd and ACPI daemon, and sees that they stand. Connections that are through go on. */
export async function deafen(rig: BuilderRig): Promise<void> {
  const freeze = `for pid in $(pidof ${names.join(' ')}); do
    kill -STOP $pid
    until grep -q ') T ' /proc/$pid/stat; do :; done
    cat /proc/$pid/comm
  done`;
  const { stdout, said } = await rig.cli('ssh', '--root', '--', freeze);
  assert.deepEqual(stdout.trim().split('\n').sort(), names, said);
}
