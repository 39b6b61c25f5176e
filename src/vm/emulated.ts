/** What a guest of several emulated processors has to do without, by which QEMU it is. */
import type { Config } from '../config/config.ts';
import type { Abilities, Accelerator } from './driver.ts';

export interface Emulated {
  readonly config: Pick<Config, 'system' | 'cpus'>;
  readonly accelerator: Accelerator;
  readonly abilities?: Abilities | undefined;
}

/** The first QEMU of which it was measured that several emulated processors take cmpxchg16b beside each other. */
const firstGood = 10;

/**
 * Whether cmpxchg16b is taken from the guest (`-cpu max,-cx16`), and with it x86-64-v2: QEMU 7.2 double-faults in it when several
 * processors are emulated (docs/troubleshooting.md). One that does not say its version is taken for one that does.
 */
export const masksCx16 = ({ config, accelerator, abilities }: Emulated): boolean =>
  accelerator === 'tcg' &&
  config.system === 'x86_64-linux' &&
  config.cpus > 1 &&
  (abilities?.major ?? 0) < firstGood;

/** Why programs for x86-64-v2 do not start there, and what ends that. */
export const noV2 = `programs for x86-64-v2 will not start: this QEMU cannot emulate cmpxchg16b on several processors. QEMU ${firstGood} or newer ends that, or one processor: linuxkit-builder configure -c 1`;
