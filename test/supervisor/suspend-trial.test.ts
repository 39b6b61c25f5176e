import { existsSync, mkdirSync, mkdtempSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { notFrozen } from '../../src/guest/agent/freezer.ts';
import { agentSilent } from '../../src/guest/agent/agent-failures.ts';
import { vmExited, vmKilled } from '../../src/supervisor/health/child-failures.ts';
import { notResumed } from '../../src/supervisor/idle/comeback.ts';
import { noRoomForGuest } from '../../src/supervisor/idle/idle-failures.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import {
  notLoaded,
  notResumed as notHeld,
  notSaved,
  notSavedWithin,
} from '../../src/vm/qemu/memory-failures.ts';
import {
  countCutShort,
  givenUp,
  cutShort,
  noteBegun,
  noteEnded,
  noteFailure,
  noteSuccess,
  trialBasis,
  trialOf,
} from '../../src/supervisor/suspend/suspend-trial.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'trial-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

const now = Date.parse('2026-01-02T03:04:05Z');
const broken = notResumed;

// Behaviour 123: Until resuming has worked once, and again after each upgrade of QEMU or of the host's system, a
// suspend is a trial: the guest is resumed at once and, if nobody needs it, suspended again. After two failed suspends
// or resumes in a row, the guest is stopped instead of suspended. By itself, this ends after a day if resuming has
// worked before, and otherwise with the next upgrade of QEMU or of the host's system.
test('what did not go well twice in a row is not done again, which is told once', () => {
  expect(trialOf(layout, 'a', now)).toBe('untried');
  expect(noteFailure(layout, 'a', broken('it broke'), now)).toBe(false);
  expect(trialOf(layout, 'a', now)).toBe('untried');
  noteSuccess(layout, 'a');
  expect(trialOf(layout, 'a', now)).toBe('works');
  expect(noteFailure(layout, 'a', broken('it broke'), now)).toBe(false);
  expect(trialOf(layout, 'a', now)).toBe('works');
  expect(noteFailure(layout, 'a', broken('it broke again'), now)).toBe(true);
  expect(trialOf(layout, 'a', now)).toEqual({ why: broken('it broke again').message });
  expect(noteFailure(layout, 'a', broken('it broke again'), now)).toBe(false);
  // Another build of the program may do better.
  expect(trialOf(layout, 'b', now)).toBe('untried');
  expect(noteFailure(layout, 'b', broken('w'), now)).toBe(false);
});

test('what was begun and not ended counts as failed, which is told once', () => {
  noteBegun(layout, 'a');
  expect(trialOf(layout, 'a', now)).toBe('untried');
  noteEnded(layout, 'a');
  expect(countCutShort(layout, 'a', now)).toEqual({ lost: 0, isLast: false });

  // Each time nobody is left to tell how it ended.
  noteBegun(layout, 'a');
  expect(countCutShort(layout, 'a', now)).toEqual({ lost: 1, isLast: false });
  expect(trialOf(layout, 'a', now)).toBe('untried');
  noteBegun(layout, 'a');
  expect(trialOf(layout, 'a', now)).toEqual({ why: cutShort });
  expect(countCutShort(layout, 'a', now)).toEqual({ lost: 1, isLast: true });
  expect(countCutShort(layout, 'a', now)).toEqual({ lost: 0, isLast: false });
  expect(trialOf(layout, 'a', now)).toEqual({ why: cutShort });
  expect(trialOf(layout, 'b', now)).toBe('untried');
});

test('of one that was cut short, and one that failed, the second is the last', () => {
  noteBegun(layout, 'a');
  expect(noteFailure(layout, 'a', broken('it broke'), now)).toBe(true);
  expect(trialOf(layout, 'a', now)).toEqual({ why: broken('it broke').message });
  noteSuccess(layout, 'a');
  expect(trialOf(layout, 'a', now)).toBe('works');
});

test('what was given up is told, with what ended it and when it is tried again', () => {
  const failure = vmExited('qemu', { kind: 'exited', code: 1 }, undefined, ['odd section', ' ']);
  for (const works of [true, false]) {
    const basis = String(works);
    if (works) noteSuccess(layout, basis);
    expect(givenUp(layout, now, basis)).toBeUndefined();
    noteFailure(layout, basis, failure, now);
    noteFailure(layout, basis, failure, now);
    const until = works ? { until: '2026-01-03T03:04:05.000Z' } : {};
    const why = `${failure.message} The last line of output: "odd section"`;
    // Before a start nobody knows what it will be tried with.
    for (const asked of [basis, undefined])
      expect(givenUp(layout, now, asked)).toEqual({ why, ...until });
    expect(givenUp(layout, now, 'another build')).toBeUndefined();
  }
});

test('what cannot be remembered is tried again', () => {
  removeTree(layout.state);
  noteSuccess(layout, 'a');
  expect(trialOf(layout, 'a', now)).toBe('untried');
});

const lost = (failure: Failure) => [failure.kind, failure] as const;

test.each([
  lost(noRoomForGuest),
  lost(agentSilent('guest-exec', 5_000)),
  lost(notFrozen('')),
  lost(vmKilled('qemu', false, [])),
  lost(vmKilled('qemu', true, [])),
  lost(failureOf(new Error('w'))),
])('trouble that passes says nothing of the way: %s', (_, failure) => {
  for (let n = 0; n < 3; n++) expect(noteFailure(layout, 'a', failure, now)).toBe(false);
  expect(trialOf(layout, 'a', now)).toBe('untried');
});

test.each([
  lost(notSaved('w')),
  lost(notSavedWithin(5)),
  lost(notHeld(5_000)),
  lost(notLoaded('w')),
  lost(vmExited('qemu', { kind: 'exited', code: 1 }, undefined, [])),
])('%s says something of the way', (_, failure) => {
  expect(noteFailure(layout, 'a', failure, now)).toBe(false);
  expect(noteFailure(layout, 'a', failure, now)).toBe(true);
  expect(trialOf(layout, 'a', now)).toEqual({ why: failure.message });
});

test('what has worked once is tried again after a day; what never has is not', () => {
  const day = 24 * 3_600_000;
  for (const works of [true, false]) {
    const basis = String(works);
    if (works) noteSuccess(layout, basis);
    noteFailure(layout, basis, broken('w'), now);
    noteFailure(layout, basis, broken('w'), now);
    expect(trialOf(layout, basis, now + day - 1)).toEqual({ why: broken('w').message });
    expect(trialOf(layout, basis, now + day)).toEqual(
      works ? 'works' : { why: broken('w').message },
    );
  }
});

test('what is tried is a build of the program on a build of the system, in whichever boot of the host', () => {
  const program = join(layout.state, 'vm');
  const basis = (osBuild = '24.1.0 24B83') => trialBasis(program, 'hvf', undefined, osBuild);
  const put = (text: string) => {
    // The old file stays, so that the new one has another number.
    if (existsSync(program)) renameSync(program, `${program}.old`);
    writeFileSync(program, text);
    utimesSync(program, now / 1000, now / 1000);
  };
  put('a');
  const before = basis();
  // An update of macOS may have the same kernel.
  expect(basis('24.1.0 24B84')).not.toBe(before);
  expect(trialBasis(program, 'tcg', undefined, '24.1.0 24B83')).not.toBe(before);
  expect(trialBasis(program, 'hvf', 'gvproxy', '24.1.0 24B83')).not.toBe(before);
  // After a boot the same file may have another number.
  put('a');
  expect(basis()).toBe(before);
  put('another build');
  expect(basis()).not.toBe(before);
});
