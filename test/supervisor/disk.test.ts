import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { judgeDisk, prepareDisk } from '../../src/supervisor/disk/disk.ts';
import { plainly } from '../../src/system/advice.ts';
import { Failed, type Failure } from '../../src/system/failure.ts';
import { makeProgram } from '../rig/other-process.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const GiB = 1024 ** 3;
let dir = '';
let disk = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'disk-'));
  disk = join(dir, 'nix-disk');
});
afterEach(() => removeTree(dir));

const kindOf = (work: () => unknown): string => {
  try {
    work();
    return 'no failure';
  } catch (error) {
    return error instanceof Failed ? error.failure.kind : String(error);
  }
};
const format = (label: string) => {
  writeFileSync(disk, '');
  truncateSync(disk, 64 * 1024 * 1024);
  execFileSync('/usr/sbin/mkfs.ext4', ['-q', '-F', '-L', label, disk]);
};

describe('the disk', () => {
  test('is made sparse, private, of the size asked for', () => {
    expect(prepareDisk(disk, 80)).toBe('blank');
    const stat = statSync(disk);
    expect(stat.size).toBe(80 * GiB);
    expect(stat.blocks).toBeLessThan(16);
    expect(stat.mode & 0o777).toBe(0o600);
  });

  test('grows, and never shrinks', () => {
    prepareDisk(disk, 2);
    prepareDisk(disk, 5);
    expect(statSync(disk).size).toBe(5 * GiB);
    prepareDisk(disk, 3);
    expect(statSync(disk).size).toBe(5 * GiB);
  });

  test('is ours by the label that the guest gives', () => {
    format('linuxkit-nix');
    expect(prepareDisk(disk, 2)).toBe('ours');
  });

  test('is blank as long as the guest has not formatted all of it', () => {
    format('linuxkit-new');
    expect(prepareDisk(disk, 2)).toBe('blank');
  });

  test('is blank from the mark on, whatever is behind it', () => {
    writeFileSync(disk, 'linuxkit-builder formats this disk');
    truncateSync(disk, 4096);
    writeFileSync(disk, 'a group descriptor', { flag: 'a' });
    expect(prepareDisk(disk, 2)).toBe('blank');
    const elsewhere = Buffer.concat([
      Buffer.from('x'),
      Buffer.from('linuxkit-builder formats this disk'),
    ]);
    expect(judgeDisk(Buffer.concat([elsewhere, Buffer.alloc(4096)]))).toBe('foreign');
  });

  test.each([['somebody'], ['']])('of another label %j is left alone', (label) => {
    format(label);
    const before = readFileSync(disk);
    expect(kindOf(() => prepareDisk(disk, 2))).toBe('disk-not-ours');
    expect(readFileSync(disk).equals(before)).toBe(true);
  });

  test.each([
    ['text', 'text'],
    ['a byte behind 40,000 zeros', '\0'.repeat(40_000) + 'x'],
    ['the mark of btrfs', '\0'.repeat(64 * 1024 + 64) + '_BHRfS_M'],
    ['the last byte of a MiB', '\0'.repeat(1024 * 1024 - 1) + 'x'],
  ])('that holds %s is left alone', (_, content) => {
    writeFileSync(disk, content);
    expect(kindOf(() => prepareDisk(disk, 2))).toBe('disk-not-ours');
    expect(readFileSync(disk, 'utf8')).toBe(content);
  });

  test('that is a directory is named', () => {
    mkdirSync(disk);
    expect(kindOf(() => prepareDisk(disk, 2))).toBe('disk-unreadable');
  });

  test('that cannot be read is named', needs('ordinary user'), () => {
    writeFileSync(disk, '');
    chmodSync(disk, 0);
    expect(kindOf(() => prepareDisk(disk, 2))).toBe('disk-unreadable');
  });

  test('an old ext4 superblock without its magic is not ours', () =>
    expect(judgeDisk(Buffer.alloc(65_536, 1))).toBe('foreign'));
});

// Behaviour 16: If a file system does not allow a file as large as the disk, `configure` and a start say so, and say
// which size is allowed.
describe('a disk that is larger than files may be', () => {
  const source = `
    import { prepareDisk } from '../../src/supervisor/disk/disk.ts';
    import { diskProblem } from '../../src/supervisor/disk/disk-size.ts';
    import { failureOf } from '../../src/system/failure.ts';
    import '../../src/system/process/signals.ts';
    const [directory, disk] = process.argv.slice(2);
    const other = directory + '/other';
    const told = [diskProblem(other, 8), diskProblem(other, 2)];
    try { prepareDisk(disk, 8); } catch (error) { told.push(failureOf(error)); }
    console.log(JSON.stringify(told.map((each) => each ?? null)));`;

  test('is refused with the size that would do, before and at a start', async () => {
    const program = await makeProgram(dir, source);
    // In blocks of 512 bytes: 3 GiB.
    const limited = `ulimit -f 6291456; exec '${process.execPath}' '${program}' '${dir}' '${disk}'`;
    const said = execFileSync('sh', ['-c', limited], { encoding: 'utf8' });
    const [before, fits, atStart] = JSON.parse(said) as (Failure | null)[];
    expect(before).toMatchObject({ kind: 'disk-too-large', exit: 73 });
    expect(before?.message).toContain('at most 3 GiB');
    expect(plainly(before?.hint ?? '')).toContain('configure -s 3');
    expect(fits).toBeNull();
    expect(atStart).toEqual(before);
    expect(readdirSync(dir).filter((name) => name.startsWith('.size'))).toEqual([]);
  });
});
