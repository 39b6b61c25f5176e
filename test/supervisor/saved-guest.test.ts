import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { Ends } from '../../src/supervisor/stop/end-scope.ts';
import type { Scope } from '../../src/supervisor/scope.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import {
  differenceIn,
  identityOf,
  type IdentityInput,
} from '../../src/supervisor/suspend/guest-identity.ts';
import {
  commitSaved,
  discardSaved,
  readSaved,
  takeSaved,
} from '../../src/supervisor/idle/saved-guest.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'saved-')));
  mkdirSync(layout.state);
  writeFileSync(layout.disk, 'the disk');
  writeFileSync(layout.unfinishedMemory, Buffer.alloc(5_000_000, 7), { mode: 0o600 });
});
afterEach(() => removeTree(layout.root));

type Host = NonNullable<IdentityInput['host']>;
type Accelerator = IdentityInput['accelerator'];

const launch = { program: '/bin/sh', argv: ['-m', '1024'], env: { PATH: '/bin' }, cwd: '/' };
const input: IdentityInput = {
  program: '/bin/sh',
  launch,
  accelerator: 'tcg',
  madeFrom: 'image and settings',
};
const at = '2026-11-28T00:00:00.000Z';
const commit = () =>
  commitSaved(layout, { identity: identityOf(input), at, bootedAt: at, resumes: 3 });
const names = () => [layout.suspended, layout.memory, layout.unfinishedMemory].map(existsSync);

test('a guest that was saved is taken once', () => {
  expect(takeSaved(layout)).toBeUndefined();
  writeFileSync(layout.unfinishedMemory, Buffer.alloc(5_000_000, 7));
  const saved = commit();
  expect(names()).toEqual([true, true, false]);
  expect(statSync(layout.suspended).mode & 0o777).toBe(0o600);
  expect(saved.bytes).toBeGreaterThan(4_000_000);
  expect(readSaved(layout)).toEqual(saved);
  expect(takeSaved(layout)).toEqual(saved);
  expect(names()).toEqual([false, true, false]);
  expect(takeSaved(layout)).toBeUndefined();
  // Nobody will go on with it.
  expect(names()).toEqual([false, false, false]);
});

test('what a killed save left is no guest, and goes', () => {
  expect(readSaved(layout)).toBeUndefined();
  expect(takeSaved(layout)).toBeUndefined();
  expect(names()).toEqual([false, false, false]);
  writeFileSync(layout.unfinishedMemory, 'half');
  renameSync(layout.unfinishedMemory, layout.memory);
  expect(takeSaved(layout)).toBeUndefined();
  expect(names()).toEqual([false, false, false]);
});

// Behaviour 122: A guest is resumed from its file at most once, and only if its disk and the file are unchanged.
test.each([
  ['its disk', 'was written to', () => utimesSync(layout.disk, new Date(0), new Date(0))],
  ['its disk', 'has grown', () => appendFileSync(layout.disk, 'more')],
  [
    'its disk',
    'is another file',
    () => {
      const { atime, mtime } = statSync(layout.disk);
      renameSync(layout.disk, `${layout.disk}.old`);
      writeFileSync(layout.disk, 'the disk');
      utimesSync(layout.disk, atime, mtime);
    },
  ],
  ['its disk', 'is gone', () => rmSync(layout.disk)],
  ['its file', 'lacks its last byte', () => truncateSync(layout.memory, 4_999_999)],
  ['its file', 'is another', () => writeFileSync(layout.memory, Buffer.alloc(5_000_000, 8))],
  ['its file', 'is gone', () => rmSync(layout.memory)],
  ['its record', 'is of nobody', () => writeFileSync(layout.suspended, '{}')],
])('%s %s: the guest boots', (what, _how, change) => {
  commit();
  change();
  expect(takeSaved(layout)).toEqual({ unfit: expect.stringContaining(what) as string });
  expect(names()).toEqual([false, false, false]);
});

test('nothing is committed where the disk is gone', () => {
  rmSync(layout.disk);
  expect(commit).toThrow('ENOENT');
  expect(existsSync(layout.suspended)).toBe(false);
});

test('a record that cannot be removed lets no guest begin', () => {
  mkdirSync(layout.suspended);
  expect(() => takeSaved(layout)).toThrow();
  expect(() => discardSaved(layout)).toThrow();
});

test('whatever of it is another is named', () => {
  const same = identityOf(input);
  expect(differenceIn(same, identityOf(input))).toBeUndefined();
  const others: readonly (readonly [Partial<IdentityInput>, string])[] = [
    [{ program: '/bin/ls' }, 'the VM program has changed'],
    [
      { launch: { ...launch, argv: ['-m', '2048'] } },
      'the command line of the VM program has changed',
    ],
    [{ launch: { ...launch, env: {} } }, 'the command line of the VM program has changed'],
    [{ accelerator: 'kvm' }, 'the accelerator has changed (tcg to kvm)'],
    [{ madeFrom: 'another image' }, 'the image, its kernel command line or the keys have changed'],
  ];
  for (const [other, words] of others)
    expect(differenceIn(same, identityOf({ ...input, ...other }))).toBe(words);
  expect(differenceIn(same, { ...same, host: '' })).toContain('another system or processor');
});

test.each<[string, Partial<Host>, Accelerator, boolean]>([
  ['the same', {}, 'hvf', true],
  ['an update of macOS that has the same kernel', { osBuild: '24.1.0 24B84' }, 'hvf', false],
  ['another processor', { processor: 'another' }, 'tcg', false],
  [
    'a reboot, where the guest sees the counter of the processor',
    { boot: () => 'b' },
    'kvm',
    false,
  ],
  ['a reboot, where it sees none', { boot: () => 'b' }, 'tcg', true],
])('the host after %s', (_what, change, accelerator, isSame) => {
  const host: Host = { osBuild: '24.1.0 24B83', processor: 'p', boot: () => 'a' };
  const now = (at: Host) => identityOf({ ...input, accelerator, host: at });
  const difference = differenceIn(now(host), now({ ...host, ...change }));
  if (isSame) expect(difference).toBeUndefined();
  else expect(difference).toContain('another system or processor');
});

test('a file that nobody has gone on with goes when its start has ended; a guest that is away stays', async () => {
  const { signal } = new AbortController();
  const ends = new Ends({
    layout,
    clock: systemClock,
    log: () => undefined,
    isOurs: () => true,
    now: signal,
  });
  const scope = {
    running: {},
    guest: {
      gotReady: false,
      has: () => false,
      closeConsole: () => Promise.resolve(),
      agent: { close: () => undefined },
    },
  } as unknown as Scope;
  commit();
  await ends.end(scope, undefined);
  expect(names()).toEqual([true, true, false]);
  takeSaved(layout);
  expect(names()).toEqual([false, true, false]);
  await ends.end(scope, undefined);
  expect(names()).toEqual([false, false, false]);
});
