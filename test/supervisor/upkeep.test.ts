import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { DaemonLock } from '../../src/supervisor/daemon/daemon-lock.ts';
import { discardSocket, keepPid, keepSocket, Upkeep } from '../../src/supervisor/stop/upkeep.ts';
import { silent } from '../../src/system/log.ts';
import { readLive } from '../../src/system/files/pidfile.ts';
import { dialUnix } from '../../src/system/socket/unix-socket.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { makeProgram, runProgram } from '../rig/other-process.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
const signal = new AbortController().signal;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'keep-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

test('the record of a child that a killed daemon left behind gives way to that of the next', () => {
  const files = { plain: layout.pid('gvproxy'), record: layout.pidRecord('gvproxy') };
  const { pid } = spawnSync('true');
  writeFileSync(files.record, JSON.stringify({ pid, started: '1', boot: '1', program: 'gvproxy' }));
  writeFileSync(files.plain, `${pid}\n`);
  keepPid(files, process.pid, 'node');
  expect(readLive(files)?.pid).toBe(process.pid);
  expect(readFileSync(files.plain, 'utf8')).toBe(`${process.pid}\n`);
});

test('a record that was well is written again after whatever happens to it', () => {
  const files = { plain: layout.pid('daemon'), record: layout.daemonPid };
  const isWell = () =>
    readLive(files)?.pid === process.pid &&
    readFileSync(files.plain, 'utf8') === `${process.pid}\n`;
  for (const damage of [
    () => rmSync(files.plain),
    () => rmSync(files.record),
    () => writeFileSync(files.plain, `${process.pid + 1}\n`),
    () => writeFileSync(files.record, ''),
  ]) {
    // Once to write it, and twice to see that it is well.
    for (let look = 0; look < 3; look++) keepPid(files, process.pid, 'node');
    expect(isWell()).toBe(true);
    damage();
    keepPid(files, process.pid, 'node');
    expect(isWell()).toBe(true);
  }
});

test('a socket that was taken leads to the same listener again, until it is discarded', async () => {
  const server = createServer((socket) => socket.end('here'));
  server.listen(layout.agent);
  await once(server, 'listening');
  keepSocket(layout.agent);
  rmSync(layout.agent);
  keepSocket(layout.agent);
  const socket = await dialUnix(layout.agent, signal);
  const [said] = (await once(socket, 'data')) as [Buffer];
  expect(said.toString()).toBe('here');
  socket.destroy();
  discardSocket(layout.agent);
  keepSocket(layout.agent);
  expect(existsSync(layout.agent)).toBe(false);
  server.close();
});

test('the next listener’s socket is not taken for the one before', async () => {
  for (const word of ['first', 'second']) {
    const server = createServer((socket) => socket.end(word));
    server.listen(layout.agent);
    await once(server, 'listening');
    keepSocket(layout.agent);
    const { ino } = lstatSync(layout.agent);
    rmSync(layout.agent);
    keepSocket(layout.agent);
    expect(lstatSync(layout.agent).ino).toBe(ino);
    server.close();
  }
});

test('what would look old is touched; what a guest boots keeps its time', async () => {
  const clock = new FakeClock();
  for (const path of [layout.daemonLock, layout.vmLock, layout.kernel]) {
    writeFileSync(path, '');
    utimesSync(path, 1, 1);
  }
  let isOurs = false;
  const upkeep = new Upkeep({ layout, clock, log: silent, isOurs: () => isOurs, keepers: [] });
  await clock.advance(3_600_000);
  await upkeep.tick();
  expect(statSync(layout.daemonLock).mtimeMs).toBe(1_000);
  isOurs = true;
  await upkeep.tick();
  const times = [layout.daemonLock, layout.vmLock, layout.kernel].map(
    (path) => statSync(path).mtimeMs,
  );
  expect(times.map(Math.round)).toEqual([clock.now(), clock.now(), 1_000].map(Math.round));
});

// Another process has the lock, whose file a cleaner has taken.
test('no second daemon begins where only the lock’s file is gone', needs('Linux'), async () => {
  const source = `
    import { DaemonLock } from '../../src/supervisor/daemon/daemon-lock.ts';
    import { layoutOf } from '../../src/config/layout.ts';
    const lock = DaemonLock.take(layoutOf(process.argv[2]));
    console.log(lock instanceof DaemonLock);
    process.stdin.on('data', () => console.log(lock.isInPlace()));`;
  const other = runProgram(await makeProgram(layout.root, source), [layout.root], 'pipe');
  const { stdin, stdout } = other;
  if (stdin === null || stdout === null) throw new Error('it has no pipes');
  const said = async () => String(((await once(stdout, 'data')) as [Buffer])[0]).trim();
  try {
    expect(await said()).toBe('true');
    rmSync(layout.daemonLock);
    expect(DaemonLock.take(layout)).toEqual({ pid: other.pid });
    stdin.write('x');
    expect(await said()).toBe('true');
    // It has it under its name again.
    expect(DaemonLock.take(layout)).toEqual({ pid: undefined });
    removeTree(layout.state);
    mkdirSync(layout.state);
    stdin.write('x');
    expect(await said()).toBe('false');
  } finally {
    other.kill('SIGKILL');
  }
});
