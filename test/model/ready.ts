/** A supervisor in a world, whose guest got ready. */
import { defaultPolicy } from '../../src/supervisor/backoff.ts';
import type { Status } from '../../src/supervisor/status.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { silent, type Log } from '../../src/system/log.ts';
import { identify } from '../../src/system/process.ts';
import type { World } from './world.ts';

/** Runs it until it is ready; the phases that it went through, and a way to another. */
export async function readyIn(
  world: World,
  { isOurs = () => true, log = silent }: { isOurs?: () => boolean; log?: Log } = {},
) {
  const { layout, clock, config } = world;
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('this process cannot see itself');
  const phases: string[] = [];
  const onStatus = ({ phase }: Status) => {
    if (phases.at(-1) !== phase) phases.push(phase);
  };
  const options = { layout, clock, log, policy: defaultPolicy, daemon, isOurs, onStatus };
  const supervisor = new Supervisor(options, { config, problems: [] });
  const until = async (phase: string) => {
    while (phases.at(-1) !== phase) {
      await clock.advance(5);
      world.tick();
      supervisor.tick();
    }
  };
  supervisor.dispatch({ type: 'start' });
  await until('booting');
  for (const stage of ['init', 'agent', 'nix', 'sshd'])
    world.say(`linuxkit-builder: stage=${stage} uptime=1`);
  await until('ready');
  return { supervisor, phases, until };
}
