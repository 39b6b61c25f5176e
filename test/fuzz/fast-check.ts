/**
 * fast-check as all tests here use it: the same cases in every run, so that what a change did not break does not fail it.
 * `FUZZ_SEED` tries others; `scripts/fuzz` does so for long.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['FUZZ_SEED'] ?? 1) });

export default fc;
