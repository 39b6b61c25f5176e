import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { debEntries, mergedPath } from '../../src/image/debian/deb.ts';
import { ar, fakeDeb, fakeTar } from '../fakes/fake-deb.ts';

const files = {
  './': { directory: 0o755 },
  'lib/': { directory: 0o755 },
  'lib/x/': { directory: 0o700 },
  'lib/x/a.so': 'a'.repeat(100_000),
  'bin/tool': { exec: '#!/bin/sh\n' },
  'bin/other': { hard: 'bin/tool' },
  'usr/bin/link': { link: '../../lib/x' },
  'usr/share/doc/x': 'dropped',
};
const read = (deb: Uint8Array, want: (path: string) => boolean = () => true) =>
  debEntries(deb, { name: 'x', want });

test.each(['gz', 'xz', 'none'] as const)(
  'a package in %s is read, as after the /usr merge',
  async (how) => {
    const entries = await read(await fakeDeb(files, how), (path) => !path.startsWith('usr/share'));
    expect(
      entries.map((entry) => ({ ...entry, data: 'data' in entry ? entry.data.length : 0 })),
    ).toEqual([
      { kind: 'directory', path: 'usr/lib/x', mode: 0o700, data: 0 },
      { kind: 'file', path: 'usr/lib/x/a.so', mode: 0o644, data: 100_000 },
      { kind: 'file', path: 'usr/bin/tool', mode: 0o755, data: 10 },
      { kind: 'hardlink', path: 'usr/bin/other', target: 'usr/bin/tool', data: 0 },
      { kind: 'symlink', path: 'usr/bin/link', target: '../../lib/x', data: 0 },
    ]);
  },
);

test.each([
  ['./', ''],
  ['.', ''],
  ['./bin', ''],
  ['./lib64/', ''],
  ['./lib64/ld.so', 'usr/lib64/ld.so'],
  ['./sbin/init', 'usr/sbin/init'],
  ['/lib/x/', 'usr/lib/x'],
  ['./usr/lib/x', 'usr/lib/x'],
  ['./library/x', 'library/x'],
  ['./etc/bin/x', 'etc/bin/x'],
])('%s is %j in the merged tree', (name, path) => expect(mergedPath(name)).toBe(path));

describe('is a named failure:', () => {
  const data = (tar: Uint8Array) => ar({ 'debian-binary': Buffer.from('2.0\n'), 'data.tar': tar });
  test.each([
    ['nothing', () => Promise.resolve(Buffer.alloc(0)), /not an ar archive/],
    ['another file', () => Promise.resolve(gzipSync('x')), /not an ar archive/],
    [
      'no data',
      () => Promise.resolve(ar({ 'debian-binary': Buffer.from('2.0\n') })),
      /does not contain data.tar/,
    ],
    ['a cut archive', async () => (await fakeDeb(files)).subarray(0, -10), /invalid header/],
    [
      'a header of nonsense',
      async () =>
        Buffer.from((await fakeDeb(files)).toString('latin1').replace('`', '!'), 'latin1'),
      /invalid header/,
    ],
    ['a cut tar', async () => data((await fakeTar(files)).subarray(0, 3000)), /Unexpected end/],
    ['a tar of nonsense', () => Promise.resolve(data(Buffer.alloc(1024, 'x'))), /tar header/i],
    [
      'a path that leads out',
      async () => data(await fakeTar({ 'usr/../../x': 'y' })),
      /unsafe path/,
    ],
  ])('%s', async (_, deb, message) => {
    await expect(read(await deb())).rejects.toMatchObject({
      failure: { kind: 'package-broken', message: expect.stringMatching(message) as string },
    });
  });

  test.each(['xz', 'gz'] as const)('damaged %s', async (how) => {
    const deb = await fakeDeb(files, how);
    const at = deb.indexOf('data.tar') + 60 + 40;
    deb.fill(0, at, at + 20);
    await expect(read(deb)).rejects.toMatchObject({ failure: { kind: 'archive-broken' } });
  });
});

test('an abort ends the reading', async () => {
  const stop = AbortSignal.abort(new Error('stop'));
  const reading = debEntries(await fakeDeb(files, 'xz'), {
    name: 'x',
    want: () => true,
    signal: stop,
  });
  await expect(reading).rejects.toThrow('stop');
});
