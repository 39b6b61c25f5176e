import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chooseMirror } from '../../src/image/mirror/choose-mirror.ts';
import {
  defaultMirror,
  findMirror,
  mirrorsOfApt,
  plainMirror,
} from '../../src/image/mirror/mirror.ts';
import { findSecurityMirror } from '../../src/image/mirror/security-mirror.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

let etc = '';
beforeEach(() => {
  etc = mkdtempSync(join(tmpdir(), 'mirror-'));
  mkdirSync(join(etc, 'sources.list.d'));
});
afterEach(() => removeTree(etc));

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
  (url) =>
    expect(() => findMirror(url, etc)).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({ kind: 'mirror-invalid' }) as unknown,
      }),
    ),
);

test('is an official one where there is no apt', () => {
  removeTree(join(etc, 'sources.list.d'));
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
  ['nonsense', 'deb\ndeb [\n\0\n'],
])('is not %s', (_, text) => {
  list(text);
  expect(findMirror(undefined, etc).from).toBe('default');
});

test('is not in files that apt does not read', () => {
  sources('deb http://m.test/debian trixie main\n', 'debian.list.save');
  expect(findMirror(undefined, etc).from).toBe('default');
});

test.each(['no', 'No', 'false', 'FALSE', 'off', '0', 'disable', 'without'])(
  'is not in a source with Enabled: %s',
  (no) => {
    sources(
      `Types: deb\nURIs: http://no.test/debian\nSuites: trixie\nComponents: main\nEnabled: ${no}\n`,
    );
    expect(findMirror(undefined, etc).from).toBe('default');
  },
);

test('is in the file that mirror+file: names', () => {
  writeFileSync(
    join(etc, 'mirrors'),
    '# ours\nhttp://one.test/debian/\tpriority:1\nhttp://two.test/debian\n',
  );
  list(`deb mirror+file:${etc}/mirrors trixie main\n`);
  expect(mirrorsOfApt(etc)).toEqual({
    urls: ['http://one.test/debian', 'http://two.test/debian'],
    others: [],
  });
});

test.each([
  ['mirror+file:/nowhere/list', 'mirror+file:/nowhere/list is neither http nor https'],
  ['file:/srv/debian', 'file:/srv/debian is neither http nor https'],
  ['http://u:s3cret@m.test/debian', 'http://m.test/debian requires a login'],
  ['http://u:s3@cret@m.test/debian', 'http://m.test/debian requires a login'],
])('cannot be %s, and that is said without a secret', (url, words) => {
  list(`deb ${url} trixie main\n`);
  expect(mirrorsOfApt(etc)).toEqual({ urls: [], others: [words] });
});

test.each(['http://u:s3cret@m.test/debian', 'ftp://u:s3cret@m.test/x', 'http://u:s3/cret@m.test/'])(
  'with a login is refused, which is not shown: %s',
  (url) => {
    expect(() => findMirror(url)).toThrow(/m\.test/);
    expect(() => findMirror(url)).not.toThrow(/s3/);
  },
);

// Behaviour 166: If a mirror from this machine's apt sources does not serve the Debian releases that the image needs,
// for example because it is dead or requires a login, the next one is used, and in the end the default one. `image
// build` says which one it uses, and why.
// Behaviour 167: Credentials in the address of a mirror are never shown or kept.
describe('among those of apt the first that serves is taken', () => {
  const serves =
    (...good: string[]) =>
    (url: string) => {
      asked.push(url);
      if (good.includes(url)) return Promise.resolve();
      const failure = { kind: 'not-on-mirror', message: `${url} is no good.`, hint: '' };
      return Promise.reject(new Failed({ ...failure, exit: Exit.unavailable }));
    };
  let asked: string[] = [];
  beforeEach(() => (asked = []));

  test('and what was passed over is told', async () => {
    sources('Types: deb\nURIs: http://a.test/debian http://b.test/debian\nComponents: main\n');
    expect(await chooseMirror(undefined, { ask: serves('http://b.test/debian'), etc })).toEqual({
      url: 'http://b.test/debian',
      from: 'apt sources',
      because: expect.stringContaining('http://a.test/debian is no good.') as string,
    });
  });

  test("below a cache's own address too", async () => {
    list('deb http://127.0.0.1:3142/m.test/debian trixie main\n');
    const url = 'http://127.0.0.1:3142/m.test/debian';
    expect(await chooseMirror(undefined, { ask: serves(url), etc })).toMatchObject({ url });
  });

  test('or the default, with one sentence', async () => {
    list('deb http://third.test/debian any main\ndeb http://u:s3cret@m.test/debian trixie main\n');
    expect(await chooseMirror(undefined, { ask: serves(defaultMirror), etc })).toEqual({
      url: defaultMirror,
      from: 'default',
      because: expect.stringMatching(
        /http:\/\/m\.test\/debian .*http:\/\/third\.test\/debian is no good\.$/,
      ) as string,
    });
    expect(asked).toEqual(['http://third.test/debian', defaultMirror]);
  });

  test('or the default, where there is none', async () => {
    const ask = serves(defaultMirror);
    expect(await chooseMirror(undefined, { ask, etc })).toMatchObject({
      from: 'default',
      because: expect.not.stringContaining('http') as string,
    });
  });

  test('or the default without TLS, where that cannot be had', async () => {
    expect(defaultMirror).toMatch(/^https:/);
    expect(await chooseMirror(undefined, { ask: serves(), etc })).toEqual({
      url: plainMirror,
      from: 'default',
      because: expect.stringContaining(`${defaultMirror} is no good.`) as string,
    });
  });

  test('but not many', async () => {
    list(Array.from({ length: 9 }, (_, n) => `deb http://m${n}.test/debian t main\n`).join(''));
    await chooseMirror(undefined, { ask: serves(), etc });
    expect(asked).toHaveLength(5 + 1);
  });

  test('and what was chosen is taken unasked', async () => {
    const chosen = await chooseMirror('http://c.test/debian', { ask: serves(), etc });
    expect(chosen).toMatchObject({ url: 'http://c.test/debian', from: 'option' });
    expect(asked).toEqual([]);
  });

  test('but a fault of ours, or an end, is passed on', async () => {
    list('deb http://m.test/debian trixie main\n');
    const ask = () => Promise.reject(new Error('stop'));
    await expect(chooseMirror(undefined, { ask, etc })).rejects.toThrow('stop');
  });
});

describe('the security archive', () => {
  const found = (chosen?: string, mirror?: string) =>
    findSecurityMirror(chosen, findMirror(mirror, etc), etc);
  const apt =
    'deb http://m.test/debian trixie main\ndeb http://s.test/debian-security trixie-security main\n';

  test.each([
    [
      'the one that was chosen',
      apt,
      'https://c.test/s/',
      { url: 'https://c.test/s', from: 'option' },
    ],
    [
      'the one of the apt sources',
      apt,
      undefined,
      { url: 'http://s.test/debian-security', from: 'apt sources' },
    ],
    [
      'where its suites have parts of names',
      'deb http://m.test/debian x main\ndeb http://s.test/security x/updates updates/main\n',
      undefined,
      { url: 'http://s.test/security', from: 'apt sources' },
    ],
    [
      'beside the mirror',
      'deb http://m.test/debian trixie main\n',
      undefined,
      { url: 'http://m.test/debian-security', from: 'apt sources' },
    ],
    ['beside the default', '', undefined, { url: `${defaultMirror}-security`, from: 'default' }],
  ])('is %s', (_, text, chosen, expected) => {
    list(text);
    expect(found(chosen)).toEqual(expected);
  });

  test('is beside a mirror that was chosen, whatever apt has', () => {
    list(apt);
    expect(found(undefined, 'https://c.test/debian').url).toBe('https://c.test/debian-security');
  });

  test.each(['http://c.test', 'http://127.0.0.1:9/'])('is on the same server as %s', (mirror) =>
    expect(found(undefined, mirror).url).toBe(`${mirror.replace(/\/$/, '')}/debian-security`),
  );
});
