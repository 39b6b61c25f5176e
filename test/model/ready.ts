/** A supervisor in a world, whose guest got ready. */
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import type { Config } from '../../src/config/config.ts';
import type { Event } from '../../src/supervisor/lifecycle/state.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { silent, type Log } from '../../src/system/log.ts';
import { identify } from '../../src/system/process/process.ts';
import type { World } from './world.ts';

/** Runs it until it is ready, unless another event is its first; the phases that it went through, and ways to others. */
export async function readyIn(
  world: World,
  {
    isOurs = () => true,
    log = silent,
    config = world.config,
    first = { type: 'start' },
    stages,
  }: {
    isOurs?: () => boolean;
    log?: Log;
    config?: Config;
    first?: Event;
    stages?: readonly string[];
  } = {},
) {
  const { layout, clock } = world;
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('this process cannot see itself');
  const phases: string[] = [];
  const onStatus = ({ phase }: Status) => {
    if (phases.at(-1) !== phase) phases.push(phase);
  };
  const options = { layout, clock, log, policy: defaultPolicy, daemon, isOurs };
  const supervisor = new Supervisor(
    { ...options, onStatus, doorSocket: '/nowhere' },
    { config, problems: [] },
  );
  const until = async (phase: string) => {
    while (phases.at(-1) !== phase) {
      await clock.advance(5);
      world.tick();
      supervisor.tick();
    }
  };
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1_000) {
      await clock.advance(1_000);
      world.tick();
      supervisor.tick();
    }
  };
  const getReady = async () => {
    await until('booting');
    world.boot(stages);
    await until('ready');
  };
  supervisor.dispatch(first);
  if (first.type === 'start') await getReady();
  return { supervisor, phases, until, pass, getReady };
}
