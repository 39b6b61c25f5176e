import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { readStatus, statusUnreadable } from '../../src/supervisor/status/status.ts';
import { Failed } from '../../src/system/failure.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'status-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

const failure = () => {
  try {
    return readStatus(layout);
  } catch (error) {
    return error instanceof Failed ? error.failure : error;
  }
};

test.each(['', '{', 'null', '[]', '{"version":2}', '\0'])('%j is nobody’s status', (text) => {
  writeFileSync(layout.status, text);
  expect(readStatus(layout)).toEqual({ daemon: 'gone', last: undefined });
});

test('a directory in its place is told, with what to do', () => {
  mkdirSync(layout.status);
  expect(failure()).toMatchObject({ kind: 'status-unreadable', exit: 77 });
});

test('one that belongs to another user is told', needs('ordinary user'), () => {
  writeFileSync(layout.status, '{}');
  chmodSync(layout.status, 0);
  expect(failure()).toMatchObject({ kind: 'status-unreadable' });
  const { hint } = failure() as { hint: string };
  expect(hint).toBe(statusUnreadable('', 'EACCES').hint);
  expect(hint).not.toBe(statusUnreadable('', 'EISDIR').hint);
});

test('a loop of links in its place is told', () => {
  execFileSync('ln', ['-s', layout.status, layout.status]);
  expect(failure()).toMatchObject({ kind: 'status-unreadable' });
});
