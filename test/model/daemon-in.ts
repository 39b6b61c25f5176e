/** The whole daemon in this process, in a world of its own, with a guest that is ready. */
import { writeFileSync } from 'node:fs';
import { keepPrivate } from '../../src/host/directory/private-directories.ts';
import { daemon } from '../../src/supervisor/daemon/daemon.ts';
import { freePort } from '../rig/free-port.ts';
import type { World } from './world.ts';

const signal = new AbortController().signal;

export async function daemonIn(world: World) {
  const { layout, clock } = world;
  const settings = { accelerator: 'tcg', diskGiB: 2, port: await freePort(), start: 'login' };
  writeFileSync(layout.config, JSON.stringify(settings));
  const phases: string[] = [];
  let stop: () => void = () => undefined;
  const left = daemon({
    layout,
    clock,
    managed: false,
    signal,
    doorSocket: '/nowhere',
    closeDirectories: keepPrivate,
    onStopSignal: (listener) => void (stop = () => listener('SIGTERM')),
    onStatus: ({ phase }) => {
      if (phases.at(-1) !== phase) phases.push(phase);
    },
    onStandby: () => undefined,
    onBlocked: () => undefined,
  });
  const until = async (phase: string) => {
    while (phases.at(-1) !== phase) {
      await clock.advance(5);
      world.tick();
    }
  };
  /** Two looks of the daemon, at least. */
  const pass = async () => {
    for (let n = 0; n < 12; n++) {
      await clock.advance(1_000);
      world.tick();
    }
  };
  await until('booting');
  world.boot();
  await until('ready');
  return { phases, pass, left, until, stop: () => stop() };
}
