/** Kernels of a few instructions, for guests of which nothing is asked but to run, to end, or to begin anew. */

/** An arm64 Image of these instructions (Documentation/arch/arm64/booting.rst). */
export function tinyKernel(...code: readonly number[]): Buffer {
  const image = Buffer.alloc(4096);
  // b 0x40: over the header.
  image.writeUInt32LE(0x1400_0010, 0);
  image.writeBigUInt64LE(4096n, 16);
  image.write('ARMd', 0x38, 'latin1');
  for (const [n, word] of code.entries()) image.writeUInt32LE(word, 0x40 + 4 * n);
  return image;
}

/** PSCI's SYSTEM_OFF (8) and SYSTEM_RESET (9), by hvc: mov w0, #0x8400; lsl; orr; hvc. */
const psci = (call: number) => [0x52b0_8000, 0x1100_0000 | (call << 10), 0xd400_0002];

export const tinyKernels = {
  /** wfi; b -1: for ever. */
  waits: tinyKernel(0xd503_207f, 0x17ff_ffff),
  off: tinyKernel(...psci(8)),
  reset: tinyKernel(...psci(9)),
} as const;
