import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { startDaemon } from '../../src/client/background.ts';
import { stopDaemon } from '../../src/client/stop-daemon.ts';
import { ownPidFiles } from '../../src/supervisor/daemon/daemon-lock.ts';
import { pidFiles } from '../../src/supervisor/stop/leftovers.ts';
import { launch, type Child } from '../../src/system/process/child.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { isLocked, tryKernelLock } from '../../src/system/lock/lock.ts';
import { writePid } from '../../src/system/files/pidfile.ts';
import { identify } from '../../src/system/process/process.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
let children: Child[] = [];
const signal = new AbortController().signal;

beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'back-')));
  mkdirSync(layout.state);
  writeFileSync(layout.config, '{"accelerator":"tcg","diskGiB":2}');
});
afterEach(async () => {
  for (const child of children) await child.stop(0);
  children = [];
  removeTree(layout.root);
});

/** A process of that program name, which has the lock and does nothing. */
async function begin(name: string, lock: string): Promise<Child> {
  const program = join(layout.root, name);
  copyFileSync('/bin/sleep', program);
  const what = { program, argv: ['1000'], env: {}, cwd: layout.root };
  const child = await launch(what, { output: layout.vmOutput, lock }, systemClock);
  if ('kind' in child) throw new Error(child.reason);
  children.push(child);
  while (identify(child.pid)?.program !== name) await systemClock.sleep(2);
  return child;
}

const isStopped = (pid: number) =>
  spawnSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).stdout.startsWith('T');

/** Tells of each sleep before it begins. */
const telling = (onSleep: () => void, speed = 1): Clock => ({
  ...systemClock,
  monotonic: () => systemClock.monotonic() * speed,
  sleep: (ms, signal) => (onSleep(), systemClock.sleep(ms / speed, signal)),
});

test.each([
  ['', ''],
  [', however much it said', `fs.ftruncateSync(2, 20 * 1024 ** 2); console.error('');`],
])('a daemon that does not start is quoted%s', async (_, first) => {
  mkdirSync(join(layout.root, 'dist'));
  const says = `import fs from 'node:fs'; ${first} console.error('Another one has the lock.'); process.exit(75)`;
  writeFileSync(join(layout.root, 'package.json'), '{"type": "module"}');
  writeFileSync(join(layout.root, 'dist/main.js'), says);
  const terminal = { env: process.env, clock: systemClock, signal, assets: layout.root };
  await expect(startDaemon(layout, terminal)).rejects.toMatchObject({
    failure: { kind: 'daemon-did-not-start', lines: ['Another one has the lock.'] },
  });
});

// Behaviour 2: While `stop` is cleaning up after a daemon, no other daemon starts.
test('no daemon begins while what an earlier one left is ended', async () => {
  const child = await begin('gvproxy', layout.networkLock);
  writePid(pidFiles(layout, 'gvproxy'), child.pid, 'gvproxy');
  tryKernelLock(layout.daemonLock)?.release();
  // It does not hear that it is to end, until a daemon could have begun. A SIGTERM that came before it has stopped would be heard first.
  child.signal('SIGSTOP');
  while (!isStopped(child.pid)) await systemClock.sleep(2);
  const seen: boolean[] = [];
  const clock = telling(() => {
    seen.push(isLocked(layout.daemonLock));
    child.signal('SIGCONT');
  });
  expect(await stopDaemon(layout, { clock, signal })).toBe('leftover-ended');
  expect(seen).toContain(true);
  expect(seen).not.toContain(false);
  expect(isLocked(layout.daemonLock)).toBe(false);
  expect(existsSync(pidFiles(layout, 'gvproxy').record)).toBe(false);
});

test.each(['{"cpus":"many"}', undefined])(
  'what was left is ended also where config.json is %s',
  async (text) => {
    if (text === undefined) rmSync(layout.config);
    else writeFileSync(layout.config, text);
    const child = await begin('gvproxy', layout.networkLock);
    writePid(pidFiles(layout, 'gvproxy'), child.pid, 'gvproxy');
    expect(await stopDaemon(layout, { clock: systemClock, signal })).toBe('leftover-ended');
    expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
  },
);

test('a daemon that has hardly begun is stopped, and nothing is taken from it', async () => {
  const child = await begin('sleep', layout.daemonLock);
  // The network of that daemon: it holds its lock for the daemon's life.
  const network = await begin('gvproxy', layout.networkLock);
  writePid(pidFiles(layout, 'gvproxy'), network.pid, 'gvproxy');
  const clock = telling(() => writePid(ownPidFiles(layout), child.pid, 'sleep'));
  const first = Promise.race([
    child.ended.then(() => 'the daemon'),
    network.ended.then(() => 'its network'),
  ]);
  expect(await stopDaemon(layout, { clock, signal })).toBe('stopped');
  expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
  expect(await first).toBe('the daemon');
  // What it did not come to end itself is not left.
  expect(await network.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
});

test('one that never says who it is is not called stopped', async () => {
  await begin('sleep', layout.daemonLock);
  const clock = telling(() => undefined, 1000);
  await expect(stopDaemon(layout, { clock, signal })).rejects.toMatchObject({
    failure: { kind: 'daemon-does-not-stop' },
  });
});

test('a stranger that has the pid, the start and the program of a daemon that was killed is left alone', async () => {
  const stranger = await begin('node', layout.incidents);
  tryKernelLock(layout.daemonLock)?.release();
  writePid(ownPidFiles(layout), stranger.pid, 'node');
  expect(await stopDaemon(layout, { clock: systemClock, signal })).toBe('nothing-runs');
  expect(identify(stranger.pid)?.program).toBe('node');
});

test('where no daemon ever ran nothing runs, and nothing is made', async () => {
  expect(await stopDaemon(layout, { clock: systemClock, signal })).toBe('nothing-runs');
  expect(existsSync(layout.daemonLock)).toBe(false);
});
