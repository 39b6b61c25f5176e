import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { lackOf, roomAt, roomIn } from '../../src/supervisor/disk-room.ts';

const wanted = { bytes: 1000, inodes: 64 };
const plenty = { bavail: 1000, bsize: 1, files: 100, ffree: 64 };

// Behaviour 106: A start waits where the host's file system has too few inodes, as it waits for bytes, and `status` and `doctor` say so.
test.each([
  ['enough', plenty, undefined],
  ['too few bytes', { ...plenty, bavail: 999 }, 'disk-full'],
  ['too few inodes', { ...plenty, ffree: 63 }, 'disk-inodes'],
  ['a file system without inodes', { ...plenty, files: 0, ffree: 0 }, undefined],
])('%s', (_, found, lack) => expect(lackOf(wanted, roomIn(found))).toBe(lack));

test('what is left is what the file system says, and without end where it says nothing', () => {
  const { files } = statfsSync(tmpdir());
  expect(roomAt(tmpdir()).inodes).toEqual(files === 0 ? Infinity : expect.any(Number));
  expect(roomAt('/none/such')).toEqual({ bytes: Infinity, inodes: Infinity });
});
