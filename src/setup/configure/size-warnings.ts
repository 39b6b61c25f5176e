/** Sizes that are possible, and would disappoint. */
import { counted } from '../../domain/counted.ts';
import { jobsFor, type Config, type HostFacts } from '../../config/config.ts';

type Sizes = Pick<Config, 'cpus' | 'memoryMiB' | 'maxJobs' | 'diskGiB'>;

/** The default disk is as large as that on hosts that have the room; little room for it is worth a word where there is hardly any. */
const littleGiB = 10;

/** One sentence or two for each, with what to do. */
export function sizeWarnings(
  { cpus, memoryMiB, maxJobs, diskGiB }: Sizes,
  { diskFreeGiB }: Pick<HostFacts, 'diskFreeGiB'>,
): string[] {
  const jobs = jobsFor(cpus, memoryMiB);
  return [
    ...(maxJobs > jobs
      ? [
          `${counted(maxJobs, 'build')} at a time may run out of memory with ${counted(cpus, 'CPU')} and ${memoryMiB} MiB. Use --max-jobs ${jobs} or less, or more memory.`,
        ]
      : []),
    ...(diskFreeGiB < Math.min(diskGiB, littleGiB)
      ? [
          `Only ${diskFreeGiB} GiB are free for a disk that may grow to ${diskGiB} GiB. If they run out, the guest is paused. Free some space, or choose a smaller --disk.`,
        ]
      : []),
  ];
}

/** The sizes of a builder, in a sentence. */
export function describeSizes(
  { cpus, memoryMiB, diskGiB }: Sizes,
  host: Pick<HostFacts, 'cpus' | 'memoryMiB' | 'performanceCores'>,
): string {
  const fast = cpus === host.performanceCores ? ' (the fast ones)' : '';
  return `The guest gets ${cpus} of ${host.cpus} CPUs${fast}, ${memoryMiB} of ${host.memoryMiB} MiB of memory, and a disk of up to ${diskGiB} GiB. To change that: -c, -m, -s`;
}
