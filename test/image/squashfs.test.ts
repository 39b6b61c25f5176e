import { chmodSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Entry } from '../../src/image/tree/entry.ts';
import { squashfsFault } from '../../src/image/tree/squashfs-check.ts';
import { makeSquashfs } from '../../src/image/tree/squashfs.ts';
import { findSquashfsTool } from '../../src/image/tree/squashfs-tool.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let directory = '';
let clock: FakeClock;
const { PATH = '' } = process.env;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'squashfs-'));
  clock = new FakeClock();
});
afterEach(() => {
  process.env['PATH'] = PATH;
  removeTree(directory);
});

/** Another mksquashfs than this machine's, as a shell script; `REAL` is this machine's, `$2` the file to make. */
function other(script: string, version = '4.6.1'): void {
  const path = join(directory, 'mksquashfs');
  const lines = [
    '#!/bin/sh',
    `if [ "$1" = -version ]; then echo 'mksquashfs version ${version} (2023/01/01)'; exit; fi`,
    `REAL() { PATH='${PATH}' mksquashfs "$@"; }`,
    `: >'${directory}/begun'`,
    script,
  ];
  writeFileSync(path, `${lines.join('\n')}\n`);
  chmodSync(path, 0o755);
  process.env['PATH'] = `${directory}:${PATH}`;
}
const begun = async () => {
  while (!existsSync(join(directory, 'begun'))) await new Promise((done) => setImmediate(done));
};

async function* tree(files = 3, bytes = 100): AsyncGenerator<Entry> {
  await Promise.resolve();
  yield { kind: 'directory', path: 'd', mode: 0o755 };
  for (let n = 0; n < files; n++)
    yield { kind: 'file', path: `d/f${n}`, mode: 0o644, data: Buffer.alloc(bytes, n) };
  yield { kind: 'hardlink', path: 'd/again', target: 'd/f0' };
  yield { kind: 'symlink', path: 'd/link', target: 'f0' };
}
const output = () => join(directory, 'out');
const make = (entries = tree()) => makeSquashfs(entries, output(), new Date(0), { clock });
const failsAs = (kind: string, message: RegExp) => ({
  failure: { kind, message: expect.stringMatching(message) as string },
});

test('what is made is whole', async () => {
  await make();
  expect(squashfsFault(output(), 6)).toBeUndefined();
});

test("this machine's tool has been tried", async () => {
  expect(await findSquashfsTool()).toMatchObject({ tool: 'mksquashfs' });
});

// Behaviour 168: A `mksquashfs` that is too old, or that lacks something that is needed, is rejected before anything
// is fetched. An image is made only from a complete root file system, even if `mksquashfs` reports success for an
// incomplete one.
describe('a tool is unfit', () => {
  test.each([
    [
      'that is too old',
      '4.4',
      'echo "mksquashfs: -tar is an invalid option"; exit 1',
      /4\.4 is too old/,
    ],
    [
      'without lz4',
      '4.6.1',
      'echo "Compressor \\"lz4\\" is not supported!" >&2; exit 1',
      /with lz4/,
    ],
    ['that makes an empty file', '4.6.1', 'cat >/dev/null; : >"$2"', /is empty/],
    ['that makes nothing', '4.6.1', 'cat >/dev/null', /was not created/],
    ['that makes something else', '4.6.1', 'cat >"$2"', /is not a squashfs/],
  ])('%s', async (_, version, script, message) => {
    other(script, version);
    await expect(findSquashfsTool()).rejects.toMatchObject(
      failsAs('squashfs-tools-unfit', message),
    );
  });

  test('that never ends', async () => {
    other('exec sleep 1000');
    const failed = expect(findSquashfsTool({ clock })).rejects.toMatchObject(
      failsAs('squashfs-tools-unfit', /for 30 s it read and wrote nothing/),
    );
    await begun();
    await ticks(30_000);
    await failed;
  });
});

describe('a squashfs is not believed', () => {
  test.each([
    ['that is empty', 'cat >/dev/null; : >"$2"', /is empty/],
    ['that was not made', 'cat >/dev/null', /was not created/],
    ['that is cut off', 'REAL "$@"; s=$(wc -c <"$2"); truncate -s 200 "$2"', /has 200 of its/],
    [
      'that lacks files',
      'cat >/dev/null; mkdir -p "$2.d"; REAL "$2.d" "$2" -comp lz4 -noappend -quiet -no-progress',
      /has 1 of 6 files/,
    ],
    [
      'that another compressor made',
      'REAL - "$2" -tar -noappend -quiet -no-progress -comp gzip',
      /instead of lz4/,
    ],
    ['of a tool that failed', 'cat >/dev/null; echo no >&2; exit 3', /could not build/],
    ['of a tool that was killed', 'kill -9 $$', /could not build/],
  ])('%s', async (_, script, message) => {
    other(script);
    await expect(make()).rejects.toMatchObject(failsAs('squashfs-failed', message));
  });

  test('of a tool that stops taking what it is given', async () => {
    other('head -c 100000 >/dev/null; exec sleep 1000');
    const failed = expect(make(tree(40, 100_000))).rejects.toMatchObject(
      failsAs('squashfs-failed', /for 120 s it read and wrote nothing/),
    );
    await begun();
    await ticks(120_000);
    await failed;
  });
});

test('an abort ends the tool', async () => {
  other('exec sleep 1000');
  const stop = new AbortController();
  const made = makeSquashfs(tree(), output(), new Date(0), { clock, signal: stop.signal });
  const failed = expect(made).rejects.toThrow('enough');
  await begun();
  stop.abort(new Error('enough'));
  await failed;
});

/** Lets so much time pass, again and again, until nobody waits for more of it. */
async function ticks(ms: number): Promise<void> {
  while (clock.pending > 0) await clock.advance(ms);
}
