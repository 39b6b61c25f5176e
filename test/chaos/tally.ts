/** What a run has come to so far, and its last line. */
import type { Round } from './plan.ts';

/** What must hold after each round, by a name of its own. */
export const checks = [
  'one-vm',
  'one-daemon',
  'undisturbed',
  'clean-end',
  'daemon-lives',
  'next-start',
  'store',
  'same-disk',
  'retry',
  'drain',
  'leftovers',
  'strangers',
] as const;
export type Check = (typeof checks)[number];

export interface Violation {
  readonly check: Check;
  readonly what: string;
}

/** How a round ended. `struck`: the phase in which the blow fell, as the daemon had it; without it the round does not count. */
export interface Outcome {
  readonly round: Round;
  readonly struck: string | undefined;
  readonly violations: readonly Violation[];
}

/** A round without a blow, or with nothing being built when it fell, shows nothing. */
export const counts = ({ struck }: Outcome): boolean => struck !== undefined;

/** The last line of a run: rounds, blows by deed, target and phase, violations, and the seed. */
export function summary(outcomes: readonly Outcome[], seed: number): string {
  const counted = outcomes.filter(counts);
  const blows = new Map<string, number>();
  for (const { round, struck } of counted) {
    const deed = round.deed.kind === 'kill' ? 'kill' : 'freeze';
    const key = `${deed} ${round.target} ${struck ?? ''}`;
    blows.set(key, (blows.get(key) ?? 0) + 1);
  }
  const parts = [...blows].sort(([a], [b]) => a.localeCompare(b)).map(([key, n]) => `${key} ${n}`);
  const short = counted.filter(({ round }) => round.shortage !== undefined).length;
  const violations = outcomes.flatMap((outcome) => outcome.violations).length;
  return [
    `chaos: ${counted.length} rounds (${outcomes.length - counted.length} more did not count)`,
    parts.join(', ') || 'no blow',
    `${short} with a shortage`,
    `${violations} violations`,
    `seed ${seed}`,
  ].join('; ');
}
