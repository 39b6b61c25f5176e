/** The check that all others lead to: a build on the guest, as Nix has it done. */
import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleNix } from '../nix/example.ts';
import { temporaryFolder } from '../system/files/temporary.ts';
import { run, succeeded } from '../system/process/child.ts';
import { endWords } from '../system/process/end-words.ts';
import type { CheckVerdict } from './check-runner.ts';
import type { DoctorFacts } from './facts.ts';
import { ours } from '../system/advice.ts';

/** The derivation only writes a line: what takes time is what Nix does around it, here and in the guest. */
const buildMs = 180_000;

/** Whether this machine's Nix has something built there. */
export async function checkBuild(facts: DoctorFacts): Promise<CheckVerdict> {
  if (facts.tryProgram('nix-build') === undefined)
    return { kind: 'not-asked', code: 'nix-build-missing', why: 'nix-build was not found' };
  const { ran, tookS } = await buildExample(facts);
  return succeeded(ran)
    ? { kind: 'good', fact: `a test derivation was built in ${tookS} s` }
    : {
        kind: 'bad',
        code: 'build-failed',
        what: `A test build failed: nix-build ${endWords(ran.ended)} after ${tookS} s.`,
        why: ran.stderr.trim().split('\n').slice(-5).join(' | '),
        remedy: ours('explain', 'example.nix'),
      };
}

/** A build that is not in the store, and is not put there for who tries example.nix in the same second. */
async function buildExample({ context, program, config }: DoctorFacts) {
  const directory = temporaryFolder('nix-build-');
  try {
    const file = join(directory, 'example.nix');
    const { system, mandatoryFeatures } = config();
    writeFileSync(file, exampleNix(system, { name: `doctor-${randomUUID()}`, mandatoryFeatures }));
    const { clock, signal } = context;
    const begun = clock.monotonic();
    const argv = ['--no-out-link', file];
    const ran = await run(program('nix-build'), argv, { timeoutMs: buildMs, signal });
    return { ran, tookS: ((clock.monotonic() - begun) / 1000).toFixed(1) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
