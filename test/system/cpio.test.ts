import { describe, expect, test } from 'vitest';
import { cpioArchive, S_IFDIR, S_IFLNK, S_IFREG } from '../../src/system/cpio.ts';
import { readCpio } from '../fakes/kernel-initrd.ts';

const bytes = (text: string) => Buffer.from(text);

describe('cpioArchive', () => {
  test('gives back what went in, whatever the lengths modulo 4', () => {
    const entries = [
      { path: 'd', mode: S_IFDIR | 0o755 },
      ...[0, 1, 2, 3, 4, 5].map((n) => ({
        path: `d/${'x'.repeat(n + 1)}`,
        mode: S_IFREG | 0o600,
        data: bytes('y'.repeat(n)),
        mtime: 1_700_000_000 + n,
      })),
      { path: 'd/link', mode: S_IFLNK | 0o777, data: bytes('../target') },
    ];
    const { entries: read, end } = readCpio(Buffer.from(cpioArchive(entries)), 0);
    expect(read).toEqual(
      entries.map((entry) => ({
        path: entry.path,
        mode: entry.mode,
        mtime: 'mtime' in entry ? entry.mtime : 0,
        text: 'data' in entry ? entry.data.toString() : '',
      })),
    );
    expect(end).toBeLessThanOrEqual(cpioArchive(entries).length);
  });

  test('has the header that the format prescribes, byte for byte', () => {
    const archive = Buffer.from(
      cpioArchive([{ path: 'a', mode: S_IFREG | 0o644, data: bytes('hi'), mtime: 16 }]),
    );
    expect(archive.subarray(0, 116).toString('latin1')).toBe(
      '07070100000001000081a400000000000000000000000100000010' +
        '00000002' +
        '00000000000000000000000000000000' +
        '00000002' +
        '00000000' +
        'a\0hi\0\0',
    );
    expect(archive.length).toBe(512);
  });

  test('an empty archive is a trailer', () => {
    expect(cpioArchive([]).length).toBe(512);
    expect(readCpio(Buffer.from(cpioArchive([])), 0).entries).toEqual([]);
  });

  test('counts bytes, not characters, of a name', () => {
    const archive = Buffer.from(cpioArchive([{ path: 'ü', mode: S_IFREG | 0o644 }]));
    expect(readCpio(archive, 0).entries).toMatchObject([{ path: 'ü' }]);
  });

  test('copies a large file once', () => {
    const data = new Uint8Array(48 * 1024 * 1024);
    const before = process.cpuUsage();
    expect(cpioArchive([{ path: 'big', mode: S_IFREG, data }]).length).toBeGreaterThan(data.length);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(1000);
  });

  test.each(['', '/etc', 'a\0b'])('refuses the name %j', (path) => {
    expect(() => cpioArchive([{ path, mode: S_IFREG }])).toThrow('not a name');
  });
});
