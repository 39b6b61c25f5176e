import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diskCommands, deletedDisk, noDisk } from '../../src/cli/guest/disk-command.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { exposureOf, recordBlank, recordGuest } from '../../src/supervisor/disk/disk-record.ts';
import { readRejection } from '../../src/supervisor/start/image-choice.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import { tryKernelLock } from '../../src/system/lock/lock.ts';
import { keepVerdict } from '../../src/domain/verdicts.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'disk-')));
  mkdirSync(layout.state);
  mkdirSync(layout.keys);
  writeFileSync(layout.clientKey, 'key');
  writeFileSync(layout.disk, 'builds');
  recordBlank(layout);
  recordGuest(layout, { nix: '2.26.3', letsOut: true, at: '2026-01-01T00:00:00.000Z' });
});
afterEach(() => removeTree(layout.root));

async function disk(...argv: string[]): Promise<{ out: string; failure: Failure | undefined }> {
  let out = '';
  const program = new Command().exitOverride();
  diskCommands(program.command('disk'), {
    env: {},
    home: '/nonexistent',
    assets: '/nonexistent',
    isTTY: false,
    clock: systemClock,
    out: (line) => (out += `${plainly(line)}\n`),
    err: (line) => (out += `${plainly(line)}\n`),
    signal: new AbortController().signal,
    onStopSignal: () => undefined,
    exit: () => undefined,
  });
  try {
    await program.parseAsync(['disk', ...argv, '-d', layout.root], { from: 'user' });
    return { out, failure: undefined };
  } catch (error) {
    return { out, failure: failureOf(error) };
  }
}

test('reset gives an image that did not get ready on the old disk another chance', async () => {
  writeFileSync(layout.imageRejected, JSON.stringify({ image: 'i', at: 'then', message: 'no' }));
  const why = { subject: 'image', way: 'newest', basis: 'i', why: 'no' } as const;
  keepVerdict({ ...why, at: 'then', holdsUntil: 'image-build' }, layout.verdicts);
  expect(readRejection(layout)).toMatchObject({ image: 'i' });
  expect((await disk('reset', '--yes')).out).toContain(plainly(deletedDisk));
  expect(readRejection(layout)).toBeUndefined();
});

// Behaviour 161: `disk reset` asks for confirmation, deletes the guest's disk if nothing uses it, and keeps the keys.
test('reset deletes the disk with what is recorded of it, and nothing else', async () => {
  const { failure } = await disk('reset');
  expect(failure).toMatchObject({ kind: 'needs-yes', exit: 64 });
  expect(failure?.message).toContain(layout.root);
  expect(existsSync(layout.disk)).toBe(true);
  expect((await disk('reset', '--yes')).out).toContain(plainly(deletedDisk));
  expect(existsSync(layout.disk)).toBe(false);
  expect(existsSync(layout.diskRecord)).toBe(false);
  expect(existsSync(layout.clientKey)).toBe(true);
  expect((await disk('reset', '--yes')).out).toBe(`${noDisk}\n`);
});

test.each([
  ['a daemon', () => layout.daemonLock],
  ['a VM', () => layout.vmLock],
])('reset leaves a disk that %s has', async (_, path) => {
  const lock = tryKernelLock(path());
  try {
    expect((await disk('reset', '--yes')).failure).toMatchObject({
      kind: 'disk-in-use',
      hint: saying('linuxkit-builder stop'),
    });
    expect(existsSync(layout.disk)).toBe(true);
  } finally {
    lock?.release();
  }
});

test('keep ends the telling and leaves the disk', async () => {
  expect(exposureOf(layout)).toBeDefined();
  expect((await disk('keep')).failure).toBeUndefined();
  expect(exposureOf(layout)).toBeUndefined();
  expect(existsSync(layout.disk)).toBe(true);
});
