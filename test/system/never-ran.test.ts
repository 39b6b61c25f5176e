import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockHeld } from '../../src/system/lock/flock.ts';
import { launch, type Launch } from '../../src/system/process/child.ts';
import { neverRan } from '../../src/system/process/never-ran.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'never-'));
});
afterEach(() => removeTree(dir));

const ended = (code: number, ...lines: string[]) =>
  neverRan({ kind: 'exited', code }, lines, '/d/lock');

test('a child whose lock nobody can have is told from one whose lock is held', () => {
  expect(ended(71, 'flock: /d/lock: No locks available')).toMatchObject({
    kind: 'no-locks',
    message: expect.stringMatching(/ \/d\/lock: .*\(flock: No locks available\)/) as string,
  });
  expect(ended(1, 'flock: x: Operation not supported')?.kind).toBe('no-locks');
  // What the program says after it had its lock is its own, and so is what it says of others' locks.
  expect(ended(1, 'flock: warning', 'qemu: cannot boot')).toBeUndefined();
  expect(ended(1, 'qemu: flock: No locks available')).toBeUndefined();
  expect(ended(0, 'flock: x')).toBeUndefined();
  expect(ended(lockHeld)).toBeUndefined();
});

// Behaviour 47: A VM or network program that this machine cannot run, for example after an incomplete upgrade, is
// tried only once, and the message names what is missing. Another program is used if the settings allow that.
describe('a program of which this machine cannot make a process', needs('Linux'), () => {
  const run = async (what: Omit<Launch, 'argv' | 'cwd'>) => {
    const files = { output: join(dir, 'out'), lock: join(dir, 'lock') };
    const child = await launch({ ...what, argv: [], cwd: '/' }, files, systemClock);
    if ('kind' in child) return neverRan(child, [], files.lock);
    const how = await child.ended;
    return neverRan(how, readFileSync(files.output, 'utf8').trim().split('\n'), files.lock);
  };

  test('is named, with what the system says of its file', async () => {
    const program = join(dir, 'qemu');
    writeFileSync(program, '', { mode: 0o644 });
    const failure = await run({ program, env: { PATH: '/usr/bin:/bin' } });
    expect(failure).toMatchObject({ kind: 'program-broken', recovery: 'give-up' });
    expect(failure?.message).toContain(program);
  });

  test('is named, with the library that it lacks', async () => {
    writeFileSync(join(dir, 'libc.so.6'), '');
    writeFileSync(join(dir, 'libc.musl-x86_64.so.1'), '');
    const env = { PATH: '/usr/bin:/bin', LD_LIBRARY_PATH: dir };
    const failure = await run({ program: '/bin/sleep', env });
    expect(failure).toMatchObject({ kind: 'program-broken', recovery: 'give-up' });
    expect(failure?.message).toContain('libc.');
  });
});

test.each([
  [127, 'qemu: error while loading shared libraries: libslirp.so.0: cannot open', 'libslirp.so.0'],
  [1, "/q: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /q)", 'GLIBC_2.38'],
  [127, '/q: symbol lookup error: /lib/libpixman.so: undefined symbol: x', 'undefined symbol'],
  [127, 'Error loading shared library libslirp.so.0: No such file (needed by /q)', 'libslirp'],
  [69, 'flock: failed to execute /q: Permission denied', 'Permission denied'],
])('the loaders of Linux: %i, %s', (code, line, why) => {
  const failure = ended(code, line);
  expect(failure?.kind).toBe('program-broken');
  expect(failure?.message).toContain(why);
});

test('the loader of macOS, which ends a process by a signal', () => {
  const lines = ['dyld[7]: Library not loaded: /opt/homebrew/lib/libslirp.0.dylib', '  Reason: x'];
  expect(neverRan({ kind: 'signalled', signal: 'SIGABRT' }, lines, '/l')?.kind).toBe(
    'program-broken',
  );
});

test.each([
  'flock: failed to execute /q: Text file busy',
  'flock: failed to execute /q: Cannot allocate memory',
])('what passes is tried again: %s', (line) => expect(ended(71, line)).toBeUndefined());
