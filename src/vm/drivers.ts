/** The programs that can run the guest, by name. */
import type { VmName } from '../config/machine.ts';
import type { VmDriver } from './driver.ts';
import { hyperkit } from './hyperkit/machine.ts';
import { qemu } from './qemu/machine.ts';

export const vmDrivers: Readonly<Record<VmName, VmDriver>> = { qemu, hyperkit };
