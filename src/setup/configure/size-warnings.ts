/** Sizes that are possible, and would disappoint. */
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
          `${maxJobs} builds at a time are many for ${cpus} CPUs and ${memoryMiB} MiB: they may run out of memory. Choose at most ${jobs} with --max-jobs, or more memory.`,
        ]
      : []),
    ...(diskFreeGiB < Math.min(diskGiB, littleGiB)
      ? [
          `Only ${diskFreeGiB} GiB are free for a disk that may grow to ${diskGiB} GiB: when they are used up the guest is paused. Make room, or let it be smaller with --disk.`,
        ]
      : []),
  ];
}

/** The sizes of a builder, in a sentence. */
export function describeSizes(
  { cpus, memoryMiB, diskGiB }: Sizes,
  host: Pick<HostFacts, 'cpus' | 'memoryMiB' | 'performanceCores'>,
): string {
  const fast = cpus === host.performanceCores ? ' (as many as are fast)' : '';
  return `The guest has ${cpus} of ${host.cpus} CPUs${fast}, ${memoryMiB} of ${host.memoryMiB} MiB and a disk of up to ${diskGiB} GiB; others: -c, -m, -s.`;
}
