/** The programs that can run the guest, by name. */
import type { VmName } from '../config/vm-programs.ts';
import type { VmDriver } from './driver.ts';
import { hyperkit } from './hyperkit/machine.ts';
import { vfkit } from './vfkit/machine.ts';
import { qemu } from './qemu/machine.ts';

export const vmDrivers: Readonly<Record<VmName, VmDriver>> = { qemu, hyperkit, vfkit };
