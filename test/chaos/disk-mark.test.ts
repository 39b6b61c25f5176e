import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { diskMark } from './disk-mark.ts';
import { removeTree } from '../remove-tree.ts';

const dir = mkdtempSync(join(tmpdir(), 'mark-'));
afterAll(() => removeTree(dir));

test('a disk has no mark before it is formatted, and then the UUID of its file system', () => {
  const disk = join(dir, 'disk');
  expect(diskMark(disk)).toBeUndefined();
  const content = Buffer.alloc(4096);
  writeFileSync(disk, content);
  expect(diskMark(disk)).toBeUndefined();
  content.writeUInt16LE(0xef53, 1024 + 0x38);
  content.write('00112233445566778899aabbccddeeff', 1024 + 0x68, 'hex');
  writeFileSync(disk, content);
  expect(diskMark(disk)).toBe('00112233445566778899aabbccddeeff');
});
