/** A daemon that cannot begin, because something that it writes first cannot be written. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { keepPrivate } from '../../src/host/directory/private-directories.ts';
import { daemon } from '../../src/supervisor/daemon/daemon.ts';
import { Exit } from '../../src/system/failure.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import type { StopSignal } from '../../src/system/process/signals.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { buildProgram } from '../fakes/program.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'begin-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

/** A daemon in this process; without a config.json, so that it gives up as soon as it has begun. */
function begin(managed: boolean) {
  const clock = new FakeClock();
  const blocked: string[] = [];
  const kinds: string[] = [];
  const statuses: string[] = [];
  const listeners: ((name: StopSignal) => void)[] = [];
  let failed: () => void = () => undefined;
  const gaveUp = new Promise<void>((resolve) => (failed = resolve));
  const left = daemon({
    layout,
    clock,
    managed,
    signal: new AbortController().signal,
    doorSocket: '/nowhere',
    closeDirectories: keepPrivate,
    onStopSignal: (listener) => void listeners.push(listener),
    onStatus: (status) => {
      statuses.push(JSON.stringify(status));
      if (status.phase === 'failed') failed();
    },
    onStandby: () => undefined,
    onBlocked: ({ kind, message }) => {
      kinds.push(kind);
      blocked.push(message);
    },
  });
  const stop = () => {
    for (const listener of listeners) listener('SIGTERM');
  };
  return { clock, blocked, kinds, statuses, gaveUp, left, stop };
}

// A directory in its way: as unwritable as on a read-only file system, for root too.
const obstacles = ['daemonLock', 'daemonPid', 'log', 'control'] as const;

test.each(obstacles)('a managed one waits for %s, says so once, and begins', async (name) => {
  mkdirSync(layout[name]);
  const { clock, blocked, gaveUp, left, stop } = begin(true);
  for (let times = 0; times < 3; times++) {
    await clock.waiting();
    await clock.advance(10_000);
  }
  expect(blocked).toHaveLength(1);
  expect(blocked[0]).toContain(layout[name]);
  await clock.waiting();
  removeTree(layout[name]);
  await clock.advance(10_000);
  await gaveUp;
  stop();
  expect(await left).toBe(Exit.ok);
});

// Behaviour 28: If launchd or systemd starts the daemon before the volume with the state directory is mounted, the
// daemon waits for the directory and creates nothing in its place.
test('a managed one waits for its directory, and makes none', async () => {
  removeTree(layout.root);
  const { clock, blocked, gaveUp, left, stop } = begin(true);
  await clock.waiting();
  await clock.advance(10_000);
  await clock.waiting();
  expect(blocked).toHaveLength(1);
  expect(blocked[0]).toContain(layout.root);
  expect(existsSync(layout.root)).toBe(false);
  mkdirSync(layout.root);
  await clock.advance(10_000);
  await gaveUp;
  stop();
  expect(await left).toBe(Exit.ok);
});

test('a managed one does not take a directory that it cannot look into for none', async () => {
  removeTree(layout.root);
  // As one behind a directory that denies access: a link to itself, for root too.
  symlinkSync(layout.root, layout.root);
  const { clock, kinds, left, stop } = begin(true);
  await clock.waiting();
  expect(kinds).toEqual(['cannot-write']);
  stop();
  await clock.advance(10_000);
  expect(await left).toBe(Exit.ok);
});

test('a managed one waits where flock is killed, and tells why once', async () => {
  const bin = mkdtempSync(join(tmpdir(), 'bin-'));
  writeFileSync(join(bin, 'flock'), '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
  const { PATH } = process.env;
  process.env['PATH'] = `${bin}:${PATH ?? ''}`;
  try {
    const { clock, kinds, left, stop } = begin(true);
    await clock.waiting();
    expect(kinds).toEqual(['cannot-start']);
    stop();
    await clock.advance(10_000);
    expect(await left).toBe(Exit.ok);
  } finally {
    process.env['PATH'] = PATH;
    removeTree(bin);
  }
});

// Behaviour 144: If a file cannot be parsed and the parser's error quotes part of that file, the quotation appears
// only on the terminal of the file's owner. It never appears in a status, log or report.
test('one whose config.json is no JSON writes nothing down that the parser repeats', async () => {
  writeFileSync(layout.config, '{"cpus": hush7z}');
  const { gaveUp, left, statuses, stop } = begin(true);
  await gaveUp;
  stop();
  expect(await left).toBe(Exit.ok);
  const written = [statuses.join('\n'), readFileSync(layout.log, 'utf8')];
  for (const text of written) {
    expect(text).toContain('config.json');
    expect(text).not.toContain('hush7z');
  }
});

test('a managed one that waits for that obeys a stop', async () => {
  mkdirSync(layout.control);
  const { clock, left, stop } = begin(true);
  await clock.waiting();
  stop();
  expect(await left).toBe(Exit.ok);
  expect(isLocked(layout.daemonLock)).toBe(false);
});

test.each(obstacles)('one in a terminal says that it cannot write %s, and ends', async (name) => {
  mkdirSync(layout[name]);
  writeFileSync(layout.config, '{"diskGiB":2}');
  const failure = { kind: 'cannot-write' };
  await expect(begin(false).left).rejects.toMatchObject({ failure });
});

test.each([true, false])(
  'one does not begin where others can have changed its settings meanwhile (managed: %s)',
  async (managed) => {
    for (const path of [layout.root, layout.state]) chmodSync(path, 0o777);
    writeFileSync(layout.config, '{"cpus": 0}');
    chmodSync(layout.config, 0o666);
    await expect(begin(managed).left).rejects.toMatchObject({
      failure: { kind: 'directory-not-trusted' },
    });
    expect(statSync(layout.root).mode & 0o777).toBe(0o777);
    expect(existsSync(layout.daemonLock)).toBe(false);
  },
);

test('one that is started with no umask, in directories that are open to all, has nothing that others can use', async () => {
  using program = await buildProgram();
  for (const path of [layout.root, layout.state]) chmodSync(path, 0o777);
  writeFileSync(layout.config, '{"cpus": 0}');
  const argv = [process.execPath, program.main, 'daemon', '--managed', '-d', layout.root];
  const ran = spawn('/bin/sh', ['-c', 'umask 000; exec "$@"', 'sh', ...argv]);
  try {
    await once(ran.stderr, 'data');
    // What it makes itself has a mode; the sockets of its children have what it hands down.
    if (process.platform === 'linux')
      expect(readFileSync(`/proc/${ran.pid}/status`, 'utf8')).toMatch(/^Umask:\t0077$/m);
    // Who it is may be read by all, as everywhere.
    const names = readdirSync(layout.state).filter((name) => !name.endsWith('.pid'));
    expect(names).toContain('control.sock');
    const left = names.map((name) => join(layout.state, name));
    for (const path of [layout.root, layout.state, ...left])
      expect(statSync(path).mode & 0o077, path).toBe(0);
    ran.kill('SIGTERM');
    expect(await once(ran, 'exit')).toEqual([Exit.ok, null]);
  } finally {
    ran.kill('SIGKILL');
  }
});
