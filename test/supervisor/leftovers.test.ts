import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { endLeftovers, pidFiles } from '../../src/supervisor/stop/leftovers.ts';
import { launch } from '../../src/system/process/child.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import type { Log } from '../../src/system/log.ts';
import { writePid } from '../../src/system/files/pidfile.ts';
import { identify } from '../../src/system/process/process.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { removeTree } from '../remove-tree.ts';

/** The patience with a wrapper, 12 s, passes in 1.2 s; that with SIGTERM, 5 s, in half a second. */
const speed = 10;
const quick: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * speed,
  sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  after: (ms, fn) => systemClock.after(ms / speed, fn),
};

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'behind-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

test.each(['with', 'without'])(
  'a HyperKit that was left %s a record is asked by its power button, not killed',
  async (record) => {
    // Has HyperKit's name, its lock and its vsock socket, and obeys SIGTERM.
    const program = join(layout.root, 'hyperkit');
    copyFileSync('/bin/sleep', program);
    const what = { program, argv: ['1000'], env: {}, cwd: layout.root };
    const files = { output: layout.vmOutput, lock: layout.vmLock };
    const left = await launch(what, files, systemClock);
    if ('kind' in left) throw new Error(left.reason);
    const vsock = createServer((socket) => socket.resume());
    try {
      while (identify(left.pid)?.program !== 'hyperkit') await systemClock.sleep(2);
      await once(vsock.listen(layout.vsock), 'listening');
      if (record === 'with') writePid(pidFiles(layout, 'hyperkit'), left.pid, 'hyperkit');

      const ends: unknown[] = [];
      const log: Log = (_, event, fields) => event === 'leftover-ended' && ends.push(fields);
      const signal = new AbortController().signal;
      const driver = vmDrivers.hyperkit;
      await endLeftovers({ layout, driver, program, clock: systemClock, log }, signal);
      expect(ends).toEqual([{ what: 'vm', by: 'asking' }]);
      expect(await left.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
    } finally {
      vsock.close();
      await left.stop(0);
    }
  },
);

test('of programs that another daemon had chosen, and that have ended, no record stays', async () => {
  const gone = { pid: 4_000_000, started: 'once', program: 'qemu-system-x86_64', boot: 'another' };
  for (const name of ['qemu', 'vfkit', 'gvproxy', 'vpnkit']) {
    writeFileSync(layout.pidRecord(name), JSON.stringify(gone));
    writeFileSync(layout.pid(name), '4000000\n');
  }
  const { signal } = new AbortController();
  const start = { driver: vmDrivers.hyperkit, program: 'hyperkit' };
  await endLeftovers({ layout, ...start, clock: quick, log: () => undefined }, signal);
  expect(readdirSync(layout.state).filter((name) => /\.(pid|json)$/.test(name))).toEqual([]);
});

test('a trial of an accelerator that its daemon did not outlive is ended', async () => {
  const program = join(layout.root, 'qemu-system-x86_64');
  copyFileSync('/bin/sleep', program);
  const what = { program, argv: ['1000'], env: {}, cwd: layout.root };
  const files = { output: layout.trialOutput, lock: layout.trialLock };
  const left = await launch(what, files, systemClock);
  if ('kind' in left) throw new Error(left.reason);
  try {
    while (identify(left.pid)?.program !== 'qemu-system-x86_64') await systemClock.sleep(2);
    const ends: unknown[] = [];
    const log: Log = (_, event, fields) => event === 'leftover-ended' && ends.push(fields);
    const { signal } = new AbortController();
    // Whatever is to be started now.
    const start = { driver: vmDrivers.hyperkit, program: 'hyperkit' };
    await endLeftovers({ layout, ...start, clock: quick, log }, signal);
    expect(ends).toEqual([{ what: 'trial', by: 'SIGTERM' }]);
    expect(await left.ended).toEqual({ kind: 'signalled', signal: 'SIGTERM' });
  } finally {
    await left.stop(0);
  }
});

// The other program of ours has the lock, or nobody has.
// Behaviour 4: A process counts as the one that a pidfile names only if its pid, its start time, its program and the
// boot of the host in which it was started match, and no other process is known to hold its lock. A process that merely
// has the same pid is never touched.
test.each([
  ['gvproxy', 'vpnkit'],
  ['vpnkit', 'gvproxy'],
  ['gvproxy', undefined],
  ['vpnkit', undefined],
])("a stranger with %s's recorded pid, start and name is not ended for %s", async (name, left) => {
  const begin = async (program: string, lock: string) => {
    copyFileSync('/bin/sleep', join(layout.root, program));
    const what = { program: join(layout.root, program), argv: ['1000'], env: {}, cwd: '/' };
    const child = await launch(what, { output: layout.networkOutput, lock }, systemClock);
    if ('kind' in child) throw new Error(child.reason);
    while (identify(child.pid)?.program !== program) await systemClock.sleep(2);
    return child;
  };
  const stranger = await begin(name, join(layout.root, 'another.lock'));
  const child = left === undefined ? undefined : await begin(left, layout.networkLock);
  try {
    writePid(pidFiles(layout, name), stranger.pid, name);
    const driver = vmDrivers.hyperkit;
    const signal = new AbortController().signal;
    await endLeftovers(
      { layout, driver, program: 'hyperkit', clock: quick, log: () => undefined },
      signal,
    );
    expect(await child?.ended).toEqual(child && { kind: 'signalled', signal: 'SIGTERM' });
    expect(identify(stranger.pid)?.program).toBe(name);
    expect(existsSync(pidFiles(layout, name).record)).toBe(false);
  } finally {
    await stranger.stop(0);
    await child?.stop(0);
  }
});
