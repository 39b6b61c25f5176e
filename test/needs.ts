/**
 * What a test needs that not every machine has. A test whose needs are not met is skipped, and the run says for what reason: see
 * scripts/skipped.js. only this file skips anything (test/architecture.test.ts).
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tryProgram } from '../src/system/process/find-program.ts';
import { kvmObstacle } from '../src/vm/kvm-device.ts';

const ran = (...[program, ...argv]: readonly [string, ...string[]]) =>
  spawnSync(program, argv).status === 0;

const named = {
  root: ['root', () => process.getuid?.() === 0],
  'ordinary user': ['a user who is not root', () => process.getuid?.() !== 0],
  Linux: ['Linux', () => process.platform === 'linux'],
  'x86-64': ['an x86-64 processor', () => process.arch === 'x64'],
  // In a namespace of its own, which takes root or a kernel that lets a user be root there.
  mounts: ['mounts of its own', () => ran('unshare', '--map-root-user', '--mount', 'true')],
  KVM: ['KVM', () => kvmObstacle() === undefined],
} as const satisfies Record<string, readonly [what: string, isMet: () => boolean]>;

/** One of the list above, programs, a path, or what only its file knows: `what` completes the sentence "needs …". */
export type Need =
  | keyof typeof named
  | { readonly programs: readonly string[] }
  | { readonly path: string }
  | { readonly what: string; readonly isMet: boolean };

/** The options of a test, or of a suite, that is run only where all of these are met: `test('fish completes', needs(…), () => …)`. */
export function needs(...all: readonly Need[]): { skip?: true; meta?: { skipped: string } } {
  const missing = all.flatMap(lacking);
  // Not `skip: false`: a suite around it may be skipped.
  return missing.length === 0
    ? {}
    : { skip: true, meta: { skipped: `needs ${missing.join(' and ')}` } };
}

export const isMet = (need: Need): boolean => lacking(need).length === 0;

/** What of that is not here, in words. */
function lacking(need: Need): readonly string[] {
  if (typeof need === 'string') {
    const [what, isMet] = named[need];
    return isMet() ? [] : [what];
  }
  if ('programs' in need) return need.programs.filter((name) => tryProgram(name) === undefined);
  if ('path' in need) return existsSync(need.path) ? [] : [need.path];
  return need.isMet ? [] : [need.what];
}

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test is skipped. */
    skipped?: string;
  }
}
