import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OthersFiles, notRegular } from '../../src/system/files/others-files.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'others-'))));
afterEach(() => removeTree(dir));

function look(make: (path: string) => void) {
  const path = join(dir, 'it');
  make(path);
  const others = new OthersFiles();
  return [others.read(path), others.unread.get(path)];
}

describe('a file that somebody else keeps', () => {
  test('is read', () =>
    expect(look((path) => writeFileSync(path, 'a = b\n'))).toEqual(['a = b\n', undefined]));
  test('may be missing, which is no complaint', () =>
    expect(look(() => undefined)).toEqual([undefined, undefined]));
  test('may be a directory', () =>
    expect(look(mkdirSync)).toEqual([undefined, 'it is a directory']));
  test('may be a fifo that nobody writes into, which keeps nobody', () =>
    expect(look((path) => execFileSync('mkfifo', [path]))).toEqual([undefined, notRegular]));
  test('may be a device without end', () =>
    expect(look((path) => symlinkSync('/dev/zero', path))).toEqual([undefined, notRegular]));
  test('may be a link to itself', () =>
    expect(look((path) => symlinkSync(path, path))).toEqual([
      undefined,
      'its symbolic links form a loop',
    ]));
  test('may be larger than any settings', () =>
    expect(
      look((path) => {
        writeFileSync(path, '');
        truncateSync(path, 1 << 30);
      }),
    ).toEqual([undefined, 'it is larger than 16 MiB']));
  test('may be what says that it is empty, and never ends', needs('Linux'), () =>
    expect(look((path) => symlinkSync('/proc/self/pagemap', path))).toEqual([
      undefined,
      'it is larger than 16 MiB',
    ]),
  );
  test('may be what /proc has', needs('Linux'), () =>
    expect(look((path) => symlinkSync('/proc/self/limits', path))).toEqual([
      expect.stringMatching(/^Limit[^]*\n$/) as string,
      undefined,
    ]),
  );
  test('may be as large as settings ever are', () =>
    expect(look((path) => writeFileSync(path, 'x'.repeat(1 << 24)))[0]).toHaveLength(1 << 24));
  test('may be for others only', needs('ordinary user'), () =>
    expect(
      look((path) => {
        writeFileSync(path, '');
        chmodSync(path, 0);
      }),
    ).toEqual([undefined, 'permission denied']),
  );
});
