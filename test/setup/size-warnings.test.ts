import { expect, test } from 'vitest';
import { sizeWarnings } from '../../src/setup/configure/size-warnings.ts';

const usual = { cpus: 4, memoryMiB: 4096, maxJobs: 4, diskGiB: 80 };

test.each([
  [{}, 200, []],
  [{}, 11, []],
  [{ diskGiB: 4 }, 5, []],
  [
    { maxJobs: 100 },
    200,
    [/^100 builds at a time may run out of memory with 4 CPUs and 4096 MiB.*--max-jobs 4 /],
  ],
  [{ memoryMiB: 512, maxJobs: 2 }, 200, [/--max-jobs 1 or less/]],
  [{}, 3, [/^Only 3 GiB are free for a disk that may grow to 80 GiB/]],
])('%o with %i GiB free', (sizes, diskFreeGiB, expected) => {
  const warnings = sizeWarnings({ ...usual, ...sizes }, { diskFreeGiB });
  expect(warnings).toHaveLength(expected.length);
  for (const [n, words] of expected.entries()) expect(warnings[n]).toMatch(words);
});
