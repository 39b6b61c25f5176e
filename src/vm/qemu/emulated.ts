/** What an emulated guest has to do without, by which QEMU it is. */
import type { Config } from '../../config/config.ts';
import type { Abilities, Accelerator } from '../vm-driver.ts';

interface Emulated {
  readonly config: Pick<Config, 'system'>;
  readonly accelerator: Accelerator;
  readonly abilities?: Abilities | undefined;
}

/**
 * The first QEMU that was measured to emulate cmpxchg16b: 10.0.13 and 11.1.2 brought a Linux 6.12 with two processors to its first program in
 * each of 118 and 54 boots. Of 8 and 9 it is not known.
 */
const firstGood = 10;

/**
 * Whether cmpxchg16b is taken from the guest (`-cpu max,-cx16`), and with it x86-64-v2: in QEMU 7.2 it spoils the flags now and then, and
 * the kernel double-faults (docs/backends.md). One that does not say its version is taken for one that does.
 */
const masksCx16 = ({ config, accelerator, abilities }: Emulated): boolean =>
  accelerator === 'tcg' && config.system === 'x86_64-linux' && (abilities?.major ?? 0) < firstGood;

/** Why programs for x86-64-v2 do not start there, and with which QEMU they do. */
const noV2 = `programs for x86-64-v2 do not run, as this QEMU cannot emulate cmpxchg16b; QEMU ${firstGood} and newer can`;

/** What programs in the guest notice of it. */
export const lackedEmulated = (emulated: Emulated): readonly string[] =>
  masksCx16(emulated) ? [noV2] : [];

/** The first of which it is known that it has the flag `fsrs`: 8.1 brought it (QEMU, target/i386/cpu.c). */
const firstFsrs = 9;

/**
 * Flags that an emulated x86 processor goes without, as `-cpu max,-FLAG` names them. All but cx16 say that `rep movsb` and `rep stosb` are the
 * fastest way to copy and to fill memory, which the kernel then uses for pages and for all that programs read and write. Emulated, each
 * byte is a step of its own (docs/backends.md).
 */
export const withoutFlags = (emulated: Emulated): readonly string[] => [
  ...(masksCx16(emulated) ? ['cx16'] : []),
  'erms',
  'fsrm',
  ...((emulated.abilities?.major ?? 0) < firstFsrs ? [] : ['fsrs']),
];
