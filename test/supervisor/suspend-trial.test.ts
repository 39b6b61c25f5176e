import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { noteFailure, noteSuccess, trialOf } from '../../src/supervisor/suspend-trial.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'trial-')));
  mkdirSync(layout.state);
});
afterEach(() => rmSync(layout.root, { recursive: true, force: true }));

// Behaviour 155: Whether a guest goes on from a file here is tried once for each build of the VM program; what did not go well twice in a row
// is not done again, and the guest is stopped instead.
test('what did not go well twice in a row is not done again, which is told once', () => {
  expect(trialOf(layout, 'a')).toBe('untried');
  expect(noteFailure(layout, 'a', 'it broke')).toBe(false);
  expect(trialOf(layout, 'a')).toBe('untried');
  noteSuccess(layout, 'a');
  expect(trialOf(layout, 'a')).toBe('works');
  expect(noteFailure(layout, 'a', 'it broke')).toBe(false);
  expect(trialOf(layout, 'a')).toBe('works');
  expect(noteFailure(layout, 'a', 'it broke again')).toBe(true);
  expect(trialOf(layout, 'a')).toEqual({ why: 'it broke again' });
  expect(noteFailure(layout, 'a', 'it broke again')).toBe(false);
  // Another build of the program may do better.
  expect(trialOf(layout, 'b')).toBe('untried');
  expect(noteFailure(layout, 'b', 'w')).toBe(false);
});

test('what cannot be remembered is tried again', () => {
  rmSync(layout.state, { recursive: true });
  noteSuccess(layout, 'a');
  expect(trialOf(layout, 'a')).toBe('untried');
});
