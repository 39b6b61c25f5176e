import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeProgram } from '../rig/other-process.ts';
import { filesIn, lackOf, roomAt, roomIn } from '../../src/supervisor/disk/disk-room.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const wanted = { bytes: 1000, inodes: 64 };
const plenty = { bavail: 1000, bsize: 1, files: 100, ffree: 64 };

// Behaviour 91: A start waits for free inodes on the host's file system, just as it waits for free space. `status`
// and `doctor` say so.
test.each([
  ['enough', plenty, undefined],
  ['too few bytes', { ...plenty, bavail: 999 }, 'disk-full'],
  ['too few inodes', { ...plenty, ffree: 63 }, 'disk-inodes'],
  ['a file system without inodes', { ...plenty, files: 0, ffree: 0 }, undefined],
])('%s', (_, found, lack) => expect(lackOf(wanted, roomIn(found))).toBe(lack));

test('a count of none is not believed where files can be made, and none of those that were tried stays', () => {
  const directory = mkdtempSync(join(tmpdir(), 'inodes-'));
  try {
    expect(filesIn(directory, 64)).toBe(64);
    expect(readdirSync(directory)).toEqual([]);
    // What one that was killed left is no hindrance.
    writeFileSync(join(directory, '.inode-3'), '');
    expect(filesIn(directory, 5)).toBe(5);
    expect(readdirSync(directory)).toEqual([]);
    expect(filesIn(join(directory, 'none'), 5)).toBe(0);
  } finally {
    removeTree(directory);
  }
});

/** What our code says of a file system that is mounted for it alone, with these options; its path is in `path`. */
async function saidOf(options: string, code: string): Promise<string> {
  const source = `
    import * as room from '../../src/supervisor/disk/disk-room.ts';
    const path = process.argv[2];
    console.log(${code});`;
  const directory = mkdtempSync(join(tmpdir(), 'room-'));
  try {
    const program = await makeProgram(directory, source);
    const mounted = join(directory, 'small');
    mkdirSync(mounted);
    const script = `mount -t tmpfs -o ${options} tmpfs '${mounted}' && exec '${process.execPath}' '${program}' '${mounted}'`;
    return execFileSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8' }).trim();
  } finally {
    removeTree(directory);
  }
}

// Without such a file system at hand: one of 20 inodes, whose count is the truth.
test('a count that is true is a lack', needs('root', 'Linux'), async () => {
  expect(await saidOf('nr_inodes=20', 'room.roomAt(path).inodes')).toBe('19');
});

test.each([
  ['4M', 'disk-full'],
  ['16M', 'undefined'],
])(
  'room for a part of what is tried is no room: %s',
  needs('root', 'Linux'),
  async (size, lack) => {
    expect(await saidOf(`size=${size}`, 'await room.shortageAt(path)')).toBe(lack);
  },
);

test('what is left is what the file system says, and without end where it says nothing', () => {
  const { files } = statfsSync(tmpdir());
  expect(roomAt(tmpdir()).inodes).toEqual(files === 0 ? Infinity : expect.any(Number));
  expect(roomAt('/none/such')).toEqual({ bytes: Infinity, inodes: Infinity });
});
