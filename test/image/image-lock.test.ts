import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readLock, writeLock, type Lock } from '../../src/image/image-lock.ts';
import { overlayEntries } from '../../src/image/tree/overlay.ts';
import { recipe } from '../../src/image/recipe.ts';
import { removeTree } from '../remove-tree.ts';

const image = join(import.meta.dirname, '../../src/image');
let directory = '';
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'lock-'))));
afterEach(() => removeTree(directory));

describe('the lock in the repo', () => {
  const lock = readLock(join(image, 'lock.json'));

  test('is of this recipe', () => {
    expect(lock.without).toEqual(recipe.without);
    for (const arch of ['amd64', 'arm64'] as const)
      expect(lock.architectures[arch].requested).toEqual(recipe.packages(arch));
  });

  test.each(['amd64', 'arm64'] as const)(
    'has all that is asked for on %s, each once, sorted',
    (arch) => {
      const { requested, packages } = lock.architectures[arch];
      const names = packages.map(({ name }) => name);
      for (const name of requested) expect(names).toContain(name);
      expect(names).toEqual([...new Set(names)].sort());
      expect(names.filter((name) => /^linux-image-\d/.test(name))).toHaveLength(1);
      for (const name of recipe.without) expect(names).not.toContain(name);
    },
  );

  test('names no mirror', () =>
    expect(readFileSync(join(image, 'lock.json'), 'utf8')).not.toMatch(/https?:/));
});

describe('a lock', () => {
  const located = {
    name: 'a',
    version: '1',
    suite: 'trixie',
    filename: 'pool/a_1.deb',
    sha256: 'a'.repeat(64),
    size: 1,
  };
  const one = { requested: ['a'], packages: [located] };
  const good: Lock = {
    version: 2,
    suites: [{ codename: 'trixie', archive: 'main', indexDate: '2026-01-02T03:04:05.000Z' }],
    without: [],
    squashfs: { tool: 'mksquashfs', version: '4.5.1', options: [] },
    architectures: { amd64: one, arm64: one },
  };
  const path = () => join(directory, 'lock.json');
  const changed = (change: object) => ({
    ...good,
    architectures: { amd64: { ...one, packages: [{ ...located, ...change }] }, arm64: one },
  });

  test('comes back as it was written, readable by all', () => {
    writeLock(path(), good);
    expect(readLock(path())).toEqual(good);
    expect(statSync(path()).mode & 0o777).toBe(0o644);
  });

  test('of the format before says the same of its one suite', () => {
    const before = { requested: ['a'], packages: [{ ...located, suite: undefined }] };
    const { suites, version, ...rest } = good;
    const { codename: suite, indexDate } = suites[0] ?? {};
    writeFileSync(
      path(),
      JSON.stringify({
        ...rest,
        suite,
        indexDate,
        architectures: { amd64: before, arm64: before },
      }),
    );
    expect(version).toBe(2);
    expect(readLock(path())).toEqual(good);
  });

  test.each([
    ['no file', undefined],
    ['nothing', ''],
    ['half a file', '{"suite": "tri'],
    ['another thing', '[]'],
    ['no suite', JSON.stringify({ ...good, suites: [] })],
    [
      'no date',
      JSON.stringify({ ...good, suites: [{ ...good.suites[0], indexDate: 'yesterday' }] }),
    ],
    ['a format of tomorrow', JSON.stringify({ ...good, version: 3 })],
    ['one architecture', JSON.stringify({ ...good, architectures: { amd64: one } })],
    ['a path that leads out', JSON.stringify(changed({ filename: 'pool/../../x' }))],
    ['a path from the root', JSON.stringify(changed({ filename: '/etc/passwd' }))],
    ['a weak hash', JSON.stringify(changed({ sha256: 'a'.repeat(40) }))],
    ['a hash that leads out', JSON.stringify(changed({ sha256: `../${'a'.repeat(61)}` }))],
    ['a size of words', JSON.stringify(changed({ size: 'big' }))],
  ])('with %s is a failure that says how to make one', (_, text) => {
    if (text !== undefined) writeFileSync(path(), text);
    expect(() => readLock(path())).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({ kind: 'lock-unusable' }) as unknown,
      }),
    );
  });
});

describe('our own files', () => {
  test.each(['initrd', 'root'] as const)(
    'of the %s have modes, links and folders as modes.json says',
    (part) => {
      const entries = overlayEntries(join(image, 'rootfs'), part);
      const paths = entries.map(({ path }) => path);
      expect(paths).toEqual([...new Set(paths)].sort());
      for (const entry of entries)
        if (entry.kind === 'file' && Buffer.from(entry.data).toString('latin1', 0, 2) === '#!')
          expect(entry, `${entry.path} is a script`).toMatchObject({ mode: 0o755 });
    },
  );

  test('that modes.json names are there', () => {
    const modes = JSON.parse(readFileSync(join(image, 'rootfs/modes.json'), 'utf8')) as object;
    const paths = (['initrd', 'root'] as const).flatMap((part) =>
      overlayEntries(join(image, 'rootfs'), part).map(({ path }) => `${part}/${path}`),
    );
    for (const name of Object.keys(modes)) expect(paths).toContain(name);
  });
});
