/** What comes from a mirror: lists, version numbers, packages; and the archives that we make of them. */
import fc from './fast-check.ts';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { paragraphs } from '../../src/image/debian/control-format.ts';
import { debEntries, mergedPath } from '../../src/image/debian/deb.ts';
import { parsePackageIndex } from '../../src/image/debian/package-index.ts';
import { parseRelations, takesVersion } from '../../src/image/debian/relation.ts';
import { parseRelease } from '../../src/image/debian/release.ts';
import { compareVersions } from '../../src/vm/debian-version.ts';
import { cpioArchive, S_IFREG } from '../../src/system/cpio.ts';
import { Failed } from '../../src/system/failure.ts';
import { ar, fakeTar } from '../fakes/fake-deb.ts';
import { readCpio } from '../fakes/kernel-initrd.ts';
import { anyBytes, garbled, holds } from './property.ts';

const hash = 'a'.repeat(64);
const index = [
  'Package: a\nVersion: 1:2.0-1\nFilename: pool/a.deb\nSHA256: ' + hash,
  'Size: 12\nDepends: b (>= 1) | c, d:any (<< 2~)\nProvides: v (= 1)\nDescription: x\n more\n .\n',
].join('\n');
const release = `Codename: trixie\nDate: Sat, 01 Aug 2026 10:00:00 UTC\nSHA256:\n ${hash} 12 main/x\n`;
const words = ['\n\n', ': ', '\n ', '#', '|', ',', '(', ')', '>=', '..', '\t'];
const textual = fc
  .oneof(garbled([index, `${index}\n\n${index}`, release], words), anyBytes())
  .map((bytes) => bytes.toString('utf8'));

describe('lists', () => {
  holds(
    'are read paragraph by paragraph, whole',
    1500,
    fc.property(textual, (text) => {
      for (const paragraph of paragraphs(text)) {
        expect(paragraph.size).toBeGreaterThan(0);
        for (const [name, value] of paragraph) {
          expect(name).toBe(name.toLowerCase());
          expect(value.replace(/^\n/, '')).toBe(value.trim());
        }
      }
    }),
  );
  holds(
    'lead to nothing outside the mirror',
    1500,
    fc.property(textual, (text) => {
      for (const [name, versions] of parsePackageIndex(text, 's'))
        for (const found of versions) {
          expect(found.name).toBe(name);
          expect(found.filename.startsWith('/')).toBe(false);
          const from = 'http://mirror/of/debian/';
          expect(new URL(from + found.filename).href.startsWith(from)).toBe(true);
          expect(found.sha256).toMatch(/^[0-9a-f]{64}$/);
          for (const relation of found.depends) expect(relation.length).toBeGreaterThan(0);
        }
      for (const { size } of parseRelease(text)?.files.values() ?? [])
        expect(size).toBeGreaterThanOrEqual(0);
    }),
  );
  holds(
    'of relations are read whatever they are',
    1000,
    fc.property(fc.stringMatching(/^[a-c0-9 (),|<>=:~.+-]{0,40}$/), (field) => {
      for (const relation of parseRelations(field))
        for (const alternative of relation)
          expect(typeof takesVersion(alternative, '1')).toBe('boolean');
    }),
  );
});

describe('version numbers', () => {
  const version = fc.oneof(
    fc.stringMatching(/^([0-9]:)?[0-9][0-9a-zA-Z.+~]{0,6}(-[0-9a-z.+~]{1,4})?$/),
    fc.string({ maxLength: 12 }),
  );
  const sign = (a: string, b: string) => Math.sign(compareVersions(a, b));
  holds(
    'are in one order',
    3000,
    fc.property(version, version, version, (a, b, c) => {
      expect(sign(a, a)).toBe(0);
      expect(sign(a, b)).toBe(-sign(b, a) + 0);
      if (sign(a, b) <= 0 && sign(b, c) <= 0) expect(sign(a, c)).toBeLessThanOrEqual(0);
    }),
  );
});

describe('a package', async () => {
  const tar = await fakeTar({
    'usr/bin/': { directory: 0o755 },
    'usr/bin/x': 'x',
    l: { link: 'y' },
  });
  const deb = (data: Uint8Array, name = 'data.tar') =>
    ar({ 'debian-binary': Buffer.from('2.0\n'), [name]: data });
  const archives = fc.oneof(
    garbled([deb(tar), deb(gzipSync(tar), 'data.tar.gz')], ['`\n', '../', 'data.tar', '!<arch>\n']),
    garbled([tar]).map((data) => deb(data)),
    anyBytes().map((data) => deb(data)),
    anyBytes(),
  );
  holds(
    'is read, or is a named failure; no path leads out',
    300,
    fc.asyncProperty(archives, async (bytes) => {
      try {
        for (const { path } of await debEntries(bytes, { name: 'x', want: () => true })) {
          expect(path).not.toMatch(/^\//);
          expect(path.split('/')).not.toContain('..');
        }
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        expect(error.failure.kind).toMatch(/^(package|archive)-broken$/);
      }
    }),
  );
  holds(
    'has names that are merged once and for all',
    1000,
    fc.property(fc.stringMatching(/^[./a-z0-9]{0,20}$/), (name) => {
      const merged = mergedPath(name);
      expect(merged).not.toMatch(/^\/|\/$/);
      expect(mergedPath(merged)).toBe(merged);
    }),
  );
});

describe('an archive for the kernel', () => {
  const entry = fc.record({
    path: fc.string({ minLength: 1, maxLength: 9, unit: 'binary' }),
    data: anyBytes(20),
    mtime: fc.nat(),
  });
  holds(
    'gives back what went in',
    1000,
    fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
      const fit = ({ path }: { path: string }) =>
        !path.startsWith('/') && !path.includes('\0') && Buffer.from(path).toString() === path;
      fc.pre(entries.every(fit));
      const archive = cpioArchive(entries.map((each) => ({ ...each, mode: S_IFREG | 0o600 })));
      expect(archive.length % 512).toBe(0);
      const { entries: read } = readCpio(Buffer.from(archive), 0);
      expect(read.map(({ path, text, mtime }) => ({ path, text, mtime }))).toEqual(
        entries.map(({ path, data, mtime }) => ({ path, text: data.toString('utf8'), mtime })),
      );
    }),
  );
});
