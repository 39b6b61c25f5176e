import { expect, test } from 'vitest';
import { changeDiff } from '../../src/host/change-diff.ts';
import type { FileChange } from '../../src/host/file-change.ts';

const change = (old: string | undefined, text: string, secret = false): FileChange => ({
  wanted: {
    path: '/etc/x',
    purpose: 'a test',
    content: { kind: 'whole', text, secret },
    mode: 0o600,
    directoryMode: 0o700,
    byHand: '',
  },
  before:
    old === undefined
      ? undefined
      : { bytes: Buffer.from(old), standing: { mode: 0o644, uid: 0, gid: 0 } },
  after: Buffer.from(text),
  mode: 0o600,
});

test('a new file is a diff against nothing', () => {
  expect(changeDiff(change(undefined, 'one\n'))).toEqual([
    '# /etc/x: a test (new, mode 0600)',
    '--- /dev/null',
    '+++ /etc/x',
    '@@ -0,0 +1,1 @@',
    '+one',
  ]);
});

test('a changed file names its mode only when that changes too', () => {
  expect(changeDiff(change('one\n', 'two\n'))).toEqual([
    '# /etc/x: a test (mode 0644 to 0600)',
    '--- /etc/x',
    '+++ /etc/x',
    '@@ -1,1 +1,1 @@',
    '-one',
    '+two',
  ]);
});

test('a private key is not shown', () => {
  expect(changeDiff(change(undefined, 'KEY', true)).join('\n')).not.toContain('KEY');
});
