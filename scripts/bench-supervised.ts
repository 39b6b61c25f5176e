// The supervisor with a VM program that is a shell: for what supervision itself costs. Runs until it is killed or told to restart
// that program a number of times. usage: FILE-FOR-ITS-STATE-DIRECTORY [RESTARTS]
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { defaultPolicy } from '../src/supervisor/lifecycle/backoff.ts';
import { Supervisor } from '../src/supervisor/supervisor.ts';
import { systemClock } from '../src/system/time/clock.ts';
import { tryKernelLock } from '../src/system/lock/lock.ts';
import { openLog } from '../src/system/log.ts';
import { identify } from '../src/system/process/process.ts';
import { World } from '../test/model/world.ts';

const [file = '', restarts] = process.argv.slice(2);
const world = await World.make(Date.now);
const { layout, config } = world;
const root = dirname(layout.root);
const [daemon, lock] = [identify(process.pid), tryKernelLock(layout.daemonLock)];
if (daemon === undefined || lock === undefined) throw new Error('no identity, or no lock');
if (restarts !== undefined)
  for (const name of ['qemu-system-x86_64', 'qemu-system-aarch64'])
    writeFileSync(join(root, 'bin', name), '#!/bin/sh\nexit 1\n');
const figures: object[] = [];
let starts = 0;
let was = '';
const supervisor = new Supervisor(
  {
    layout,
    clock: systemClock,
    log: openLog({ path: layout.log }),
    policy: { ...defaultPolicy, firstDelayMs: 0, maxDelayMs: 0, maxAttempts: Infinity },
    daemon,
    isOurs: () => lock.isInPlace(),
    onStatus: ({ phase }) => {
      // Long after what is measured.
      if (phase === was) return;
      was = phase;
      if (phase === 'booting') setTimeout(() => world.boot(), 100);
      if (restarts === undefined || phase !== 'stopping') return;
      starts++;
      if (starts % (Number(restarts) / 10) === 0) figures.push(figure());
      if (starts === Number(restarts)) supervisor.dispatch({ type: 'stop' });
    },
  },
  { config: { ...config, port: await freePort() }, problems: [] },
);
process.on('SIGTERM', () => {
  supervisor.dispatch({ type: 'stop' });
  supervisor.forceStop();
});
supervisor.dispatch({ type: 'start' });
writeFileSync(file, root);
await supervisor.left;
await world[Symbol.asyncDispose]();
console.log(JSON.stringify(figures));
process.exit(0);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

function figure() {
  globalThis.gc?.();
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    starts,
    rssMiB: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024,
    heapMiB: process.memoryUsage().heapUsed / 2 ** 20,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}
