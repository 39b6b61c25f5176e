/** The programs that can run the guest, by name. */
import type { VmName } from '../domain/vm-programs.ts';
import type { VmDriver } from './vm-driver.ts';
import { hyperkit } from './hyperkit/hyperkit-control.ts';
import { vfkit } from './vfkit/vfkit-control.ts';
import { qemu } from './qemu/qemu-control.ts';

export const vmDrivers: Readonly<Record<VmName, VmDriver>> = { qemu, hyperkit, vfkit };
