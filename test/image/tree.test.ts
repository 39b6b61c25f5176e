import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/image/tree/entry.ts';
import { Tree, usrLinks } from '../../src/image/tree/tree.ts';

const file = (path: string): Entry => ({
  kind: 'file',
  path,
  mode: 0o644,
  data: Buffer.from(path),
});
const folder = (path: string, mode = 0o755): Entry => ({ kind: 'directory', path, mode });
const all = () => true;
const paths = (entries: readonly Entry[]) => entries.map(({ path }) => path);

describe('a tree', () => {
  test('has each folder before what is in it, with the mode that a package gave it', () => {
    const tree = new Tree();
    const name = 'p';
    const entries = [folder('etc/secret', 0o700), file('etc/secret/a/b'), file('etc/secret/a/c')];
    expect(tree.package({ name, entries }, (path) => path.length > 11)).toEqual([
      folder('etc'),
      folder('etc/secret', 0o700),
      folder('etc/secret/a'),
      file('etc/secret/a/b'),
      file('etc/secret/a/c'),
    ]);
  });

  test('has a folder once, whoever brings it', () => {
    const tree = new Tree();
    const entries = [folder('usr'), folder('usr/bin'), file('usr/bin/a')];
    expect(paths(tree.package({ name: 'a', entries }, all))).toEqual([
      'usr',
      'usr/bin',
      'usr/bin/a',
    ]);
    const others = [folder('usr'), file('usr/bin/b')];
    expect(paths(tree.package({ name: 'b', entries: others }, all))).toEqual(['usr/bin/b']);
  });

  test('keeps names that differ in case only', () => {
    const entries = [file('usr/Foo'), file('usr/foo')];
    expect(paths(new Tree().package({ name: 'a', entries }, all))).toContain('usr/Foo');
  });

  test('prefers our own file to that of a package', () => {
    const tree = new Tree();
    tree.own([file('etc/passwd')]);
    expect(tree.package({ name: 'a', entries: [file('etc/passwd')] }, all)).toEqual([]);
  });

  test('keeps a link for a folder of the same name', () => {
    const tree = new Tree();
    tree.own(usrLinks(['lib']));
    expect(tree.package({ name: 'a', entries: [folder('lib')] }, all)).toEqual([]);
  });

  const two = (first: Entry, second: Entry) => () => {
    const tree = new Tree();
    tree.package({ name: 'a', entries: [first] }, all);
    tree.package({ name: 'b', entries: [second] }, all);
  };
  const hard = (target: string): Entry => ({ kind: 'hardlink', path: 'y', target });
  test.each([
    ['two packages with one file', file('x'), file('x'), / a .* b .* x/],
    ['a file under a file', file('x'), file('x/y'), / a .* b .* x/],
    ['another name for nothing', file('x'), hard('z'), /^y .* b .* z,/],
    ['another name for a folder', folder('x'), hard('x'), /^y .* b .* x,/],
  ])('refuses %s', (_, first, second, message) => expect(two(first, second)).toThrow(message));

  test('keeps another name of a file that is kept', () => {
    const entries = [file('x'), hard('x')];
    expect(new Tree().package({ name: 'a', entries }, all)).toEqual(entries);
  });
});
