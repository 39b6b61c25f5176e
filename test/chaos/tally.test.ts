import { expect, test } from 'vitest';
import type { Round } from './plan.ts';
import { summary, type Outcome } from './tally.ts';

const some: Round = {
  ...{ number: 1, phase: 'ready', target: 'daemon', network: 'user' },
  ...{ deed: { kind: 'kill' }, afterMs: 0, reusedPid: false },
};
const outcome = (round: Partial<Round>, more: Partial<Outcome> = {}): Outcome => ({
  round: { ...some, ...round },
  struck: 'ready',
  violations: [],
  ...more,
});

test('the last line has rounds, blows by deed, target and phase, violations and the seed', () => {
  const line = summary(
    [
      outcome({ target: 'vm', deed: { kind: 'kill' } }),
      outcome({ target: 'vm', deed: { kind: 'kill' } }),
      outcome({ target: 'daemon', deed: { kind: 'freeze', ms: 1 }, shortage: 'disk' }),
      outcome(
        { target: 'vm', deed: { kind: 'freeze-for-good' } },
        { struck: 'booting', violations: [{ check: 'store', what: 'a path is empty' }] },
      ),
      outcome({ target: 'network' }, { struck: undefined }),
    ],
    99,
  );
  expect(line).toMatchInlineSnapshot(
    `"chaos: 4 rounds (1 more did not count); freeze daemon ready 1, freeze vm booting 1, kill vm ready 2; 1 with a shortage; 1 violations; seed 99"`,
  );
});

test('nothing at all is said too', () => {
  expect(summary([], 1)).toMatchInlineSnapshot(
    `"chaos: 0 rounds (0 more did not count); no blow; 0 with a shortage; 0 violations; seed 1"`,
  );
});
