import { expect, test } from 'vitest';
import type { Round } from './plan.ts';
import { summary, type Outcome } from './tally.ts';

const some: Round = {
  number: 1,
  vm: 'qemu',
  phase: 'ready',
  target: 'daemon',
  network: 'user',
  afterMs: 0,
  reusedPid: false,
};
const kill = { kind: 'kill', by: 'us', froze: false } as const;
const outcome = (round: Partial<Round>, more: Partial<Outcome> = {}): Outcome => ({
  round: { ...some, ...round },
  blow: kill,
  violations: [],
  ...more,
});

test('the last line has kills by target and phase, what did not count and why, violations and the seed', () => {
  const line = summary(
    [
      outcome({ target: 'vm' }, { blow: { ...kill, froze: true } }),
      outcome({ target: 'vm', shortage: { of: 'disk', ms: 1 } }),
      outcome(
        {
          shortage: { of: 'descriptors', ms: 1 },
          relapseMs: 1,
          next: { vm: 'vfkit', network: 'gvproxy' },
        },
        { blow: { ...kill, froze: true } },
      ),
      outcome(
        { target: 'vm', phase: 'building', freeze: { whom: 'vm' } },
        {
          blow: { kind: 'kill', by: 'the daemon', froze: true },
          violations: [{ check: 'store', what: 'a path is empty' }],
        },
      ),
      outcome(
        { shortage: { of: 'disk', ms: 1 } },
        { blow: { kind: 'miss', why: 'the build was over' } },
      ),
      outcome({}, { blow: { kind: 'miss', why: 'nobody was there' } }),
      outcome({}, { blow: { kind: 'miss', why: 'the build was over' } }),
    ],
    99,
  );
  expect(line).toMatchInlineSnapshot(
    `"chaos: 4 rounds; kills: daemon ready 1, vm building by the daemon 1, vm ready 2; of these followed by another program 1, frozen 3, killed twice 1, without descriptors 1, without disk 1; 3 did not count (nobody was there 1, the build was over 2); 1 violations; seed 99"`,
  );
});

test('nothing at all is said too', () => {
  expect(summary([], 1)).toMatchInlineSnapshot(
    `"chaos: 0 rounds; kills: none; of these none frozen or without something; 0 did not count; 0 violations; seed 1"`,
  );
});
