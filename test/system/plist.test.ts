/** Property lists as launchd takes them, and what only has the name of one. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build, buildBinary } from 'plist';
import { OthersFiles } from '../../src/system/files/others-files.ts';
import { plistOf, readPlist, stringIn } from '../../src/system/plist.ts';
import { removeTree } from '../remove-tree.ts';

const job = { Label: 'a.b', EnvironmentVariables: { A: '/Jörg & "Söhne" <1>', B: '' }, Umask: 63 };

test('strings are found where their keys lead', () => {
  const plist = plistOf(build(job));
  expect(plist).toEqual(job);
  expect(stringIn(plist, 'EnvironmentVariables', 'A')).toBe('/Jörg & "Söhne" <1>');
  expect(stringIn(plist, 'EnvironmentVariables', 'B')).toBe('');
  for (const keys of [
    ['A'],
    ['Umask'],
    ['EnvironmentVariables'],
    ['Label', 'length'],
    ['Label', '0'],
  ])
    expect(stringIn(plist, ...keys), keys.join(' ')).toBeUndefined();
  expect(stringIn(undefined, 'Label')).toBeUndefined();
});

test('what stands in a comment does not count', () => {
  const text = `<plist><dict>
    <!-- <key>A</key> <string>old</string> --> <key>A</key> <!-- now --> <string>new</string>
  </dict></plist>`;
  expect(stringIn(plistOf(text), 'A')).toBe('new');
});

test('only what a dictionary itself has counts', () => {
  const hostile = `<plist><dict><key>__proto__</key><dict><key>A</key><string>x</string></dict></dict></plist>`;
  const plist = plistOf(hostile);
  expect(stringIn(plist, 'A')).toBeUndefined();
  expect(stringIn(plist, 'constructor', 'name')).toBeUndefined();
  expect(stringIn({}, 'A')).toBeUndefined();
});

const many = (words: string, bytes = 4_000_000) => words.repeat(bytes / words.length);
const odd: Readonly<Record<string, string>> = {
  nothing: '',
  'a word': 'plist',
  'a page': '<html><body>x</body></html>',
  'no dictionary': '<plist><string>a</string></plist>',
  'an array': '<plist><array><string>a</string></array></plist>',
  'something behind it': '<plist><dict/></plist>more',
  'entities of its own': `<!DOCTYPE plist [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><plist><dict><key>A</key><string>&b;</string></dict></plist>`,
  'a character that there is not':
    '<plist><dict><key>A</key><string>&#9999999;</string></dict></plist>',
  'text that is not taken apart':
    '<plist><dict><key>A</key><string><![CDATA[x]]></string></dict></plist>',
  'keys without values': `<plist><dict>${many('<key>a</key>')}`,
  'dictionaries without keys': `<plist>${many('<dict>')}`,
  'a closed one too many': many('</dict>'),
  'nothing but <': many('<'),
  'nothing but declarations': many('<!'),
  'comments without an end': many('<!--'),
};

test.each(Object.entries(odd))('no property list: %s', (_, text) => {
  const begun = performance.now();
  expect(plistOf(text)).toBeUndefined();
  expect(performance.now() - begun).toBeLessThan(5_000);
});

test.each([
  ['arrays', `<plist><dict><key>A</key>${many('<array>')}${many('</array>')}</dict></plist>`],
  ['dictionaries', `<plist><dict><key>A</key>${many('<dict><key>A</key>')}`],
])('%s in one another, however deep, are no reason to fail', (_, text) => {
  expect(stringIn(plistOf(text), 'A')).toBeUndefined();
});

describe('a file', () => {
  let folder = '';
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'plist-'))));
  afterAll(() => removeTree(folder));
  const read = (name: string, content?: string | Uint8Array) => {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    const others = new OthersFiles();
    return { plist: readPlist(path, others), why: others.unread.get(path) };
  };

  test('in XML is read', () =>
    expect(read('xml', build(job))).toEqual({ plist: job, why: undefined }));

  test('that is not there is none', () =>
    expect(read('none')).toEqual({ plist: undefined, why: undefined }));

  test('that cannot be read is told of', () => {
    expect(read('binary', buildBinary(job))).toEqual({
      plist: undefined,
      why: expect.stringContaining('plutil -convert xml1') as string,
    });
    expect(read('text', 'Label = a.b')).toEqual({
      plist: undefined,
      why: expect.not.stringContaining('plutil') as string,
    });
    mkdirSync(join(folder, 'directory'));
    expect(read('directory').why).toEqual(expect.any(String));
  });
});
