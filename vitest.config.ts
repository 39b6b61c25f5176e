import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * How the names of those unit tests begin that run on one Node only: the random ones, whose finds do not depend on the Node, and the
 * slowest. The option --exclude has no effect on projects.
 */
const once = JSON.parse(readFileSync('test/once.json', 'utf8')) as string[];
const leftOut =
  process.env['LINUXKIT_TEST_ONCE'] === 'no' ? once.map((beginning) => `${beginning}**`) : [];
/** How the names of those real tests begin that `scripts/test long` runs alone. */
const long = JSON.parse(readFileSync('test/long.json', 'utf8')) as string[];
const onlyLong =
  process.env['LINUXKIT_TEST_LONG'] === 'no' ? long.map((beginning) => `${beginning}**`) : [];
const shared = { environment: 'node' as const };

/** unit: pure and fast, files in parallel. real: boots a guest, or a browser; one at a time. hosts: the same on other releases of Debian. */
export default defineConfig({
  test: {
    // Nothing writes a snapshot, not even one that is missing, but whoever asks for it: `npm run unit -- test/messages -u`.
    update: 'none',
    // The second says which tests were skipped, and for what reasons.
    reporters: ['default', './scripts/skipped.js'],
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/real/**', 'test/hosts/**', ...leftOut],
          setupFiles: ['test/shared-process.ts'],
          // Vitest's own choice is one less than the cores, which is one where there are two; half of these tests wait for processes.
          maxWorkers: Math.max(4, availableParallelism() - 1),
          // For a machine that has much else to do; none of them takes a tenth of it where there is nothing.
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'hosts',
          include: ['test/hosts/**/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          exclude: onlyLong,
          globalSetup: 'test/real/known-verdicts.ts',
          fileParallelism: false,
          // Not beside the others, if both are asked for.
          sequence: { groupOrder: 1 },
          // For a machine half as fast that has much else to do: nothing is timed by these.
          testTimeout: 500_000,
          hookTimeout: 500_000,
        },
      },
    ],
  },
});
