import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultMirror, findMirror } from '../../src/image/mirror.ts';

let etc = '';
beforeEach(() => {
  etc = mkdtempSync(join(tmpdir(), 'mirror-'));
  mkdirSync(join(etc, 'sources.list.d'));
});
afterEach(() => rmSync(etc, { recursive: true }));

const list = (text: string) => writeFileSync(join(etc, 'sources.list'), text);
const sources = (text: string, name = 'debian.sources') =>
  writeFileSync(join(etc, 'sources.list.d', name), text);

test('is the one that was chosen', () =>
  expect(findMirror('https://mirror.test/debian/', etc)).toEqual({
    url: 'https://mirror.test/debian',
    from: 'option',
  }));

test.each(['mirror.test/debian', 'ftp://mirror.test/debian', '', 'http://', 'file:///srv/debian'])(
  'is not %j',
  (url) => expect(() => findMirror(url, etc)).toThrow(/is not the address of a mirror/),
);

test('is an official one where there is no apt', () => {
  rmSync(join(etc, 'sources.list.d'), { recursive: true });
  expect(findMirror(undefined, etc)).toEqual({ url: defaultMirror, from: 'default' });
});

test.each([
  ['one line', 'deb http://m.test/debian bookworm main\n'],
  ['options', 'deb [arch=amd64 signed-by=/x] http://m.test/debian/ bookworm main contrib # main\n'],
  [
    'others before it',
    '# deb http://no.test/debian x main\ndeb-src http://no.test/debian x main\ndeb http://s.test/debian-security b main\ndeb https://d.test/linux/debian b stable\ndeb http://m.test/debian b main',
  ],
  [
    'a plain path before others',
    'deb http://third.test/pub/debian b main\ndeb http://m.test/debian b main',
  ],
])('is read from sources.list: %s', (_, text) => {
  list(text);
  expect(findMirror(undefined, etc)).toEqual({ url: 'http://m.test/debian', from: 'apt sources' });
});

test.each([
  [
    'a paragraph',
    'Types: deb deb-src\nURIs: http://m.test/debian\nSuites: trixie\nComponents: main\n',
  ],
  [
    'a second paragraph',
    'Types: deb\nURIs: https://x.test/debian\nEnabled: no\nComponents: main\n\n# ours\nTypes: deb\nURIs: http://a.test/apt http://m.test/debian/\nSuites: trixie\nComponents:\n main\n contrib\n',
  ],
  ['lower case', 'types: deb\nuris: http://m.test/debian\ncomponents: main\n'],
])('is read from a .sources file: %s', (_, text) => {
  sources(text);
  expect(findMirror(undefined, etc).url).toBe('http://m.test/debian');
});

test.each([
  ['a third party', 'deb https://d.test/linux/debian bookworm stable\n'],
  ['only sources', 'deb-src http://m.test/debian trixie main\n'],
  ['security updates', 'deb http://m.test/debian-security trixie-security main\n'],
  ['a local copy', 'deb file:///srv/debian trixie main\n'],
  ['a deep path of a stranger', 'deb https://p.test/someone/tool/debian any main\n'],
  ['nonsense', 'deb\ndeb [\n\0\n'],
])('is not %s', (_, text) => {
  list(text);
  expect(findMirror(undefined, etc).from).toBe('default');
});

test('is not in files that apt does not read', () => {
  sources('deb http://m.test/debian trixie main\n', 'debian.list.save');
  expect(findMirror(undefined, etc).from).toBe('default');
});
