/** What a run has come to so far, and its last line. */
import type { Round } from './plan.ts';

/** What must hold after each round, by a name of its own. */
export const checks = [
  'one-vm',
  'own-network',
  'one-daemon',
  'undisturbed',
  'frozen-found',
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

/** Why nothing was killed, or not as planned: such a round shows nothing. */
export type Miss =
  'nobody was there' | 'the build was over' | 'the phase was over' | 'something was wrong before';

/** A kill in the round's own phase, with a build on its way; `froze`: somebody was frozen at that moment. */
export type Blow =
  | { readonly kind: 'kill'; readonly by: 'us' | 'the daemon'; readonly froze: boolean }
  | { readonly kind: 'miss'; readonly why: Miss };

/** How a round ended. */
export interface Outcome {
  readonly round: Round;
  readonly blow: Blow;
  readonly violations: readonly Violation[];
}

/** A round counts when something was killed in it. */
export const counts = ({ blow }: Outcome): boolean => blow.kind === 'kill';

/** The last line of a run: rounds, kills by target and phase, what else was done, what did not count and why, violations, the seed. */
export function summary(outcomes: readonly Outcome[], seed: number): string {
  const counted = outcomes.filter(counts);
  const kills = counted.map(({ round, blow }) => {
    const by = blow.kind === 'kill' && blow.by === 'the daemon' ? ' by the daemon' : '';
    return `${round.target} ${round.phase}${by}`;
  });
  const hardships = counted.flatMap(({ round, blow }) => [
    ...(blow.kind === 'kill' && blow.froze ? ['frozen'] : []),
    ...(round.relapseMs === undefined ? [] : ['killed twice']),
    ...(round.next === undefined ? [] : ['followed by another program']),
    ...(round.shortage === undefined ? [] : [`without ${round.shortage.of}`]),
  ]);
  const missed = outcomes.flatMap(({ blow }) => (blow.kind === 'miss' ? [blow.why] : []));
  const violations = outcomes.flatMap((outcome) => outcome.violations).length;
  return [
    `chaos: ${counted.length} rounds`,
    `kills: ${tally(kills) || 'none'}`,
    `of these ${tally(hardships) || 'none frozen or without something'}`,
    `${missed.length} did not count${missed.length > 0 ? ` (${tally(missed)})` : ''}`,
    `${violations} violations`,
    `seed ${seed}`,
  ].join('; ');
}

/** "a 2, b 1" */
function tally(words: readonly string[]): string {
  const times = new Map<string, number>();
  for (const word of words) times.set(word, (times.get(word) ?? 0) + 1);
  return [...times]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([word, n]) => `${word} ${n}`)
    .join(', ');
}
