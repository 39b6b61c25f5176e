/** Settings that change while a start is under way that fails for good: no start with them is left out. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { silent } from '../../src/system/log.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { identify } from '../../src/system/process/process.ts';
import { freePort } from '../rig/free-port.ts';
import { World } from '../model/world.ts';

let world: World;
beforeEach(async () => (world = await World.make()));
afterEach(() => world[Symbol.asyncDispose]());

/** Settings that lead to an image that is not there. */
function leadTo(name: string, port: number) {
  const bundle = join(world.layout.root, name);
  const settings = { accelerator: 'tcg', diskGiB: 2, port, start: 'login', bundle };
  const parsed = parseConfig(JSON.stringify(settings), hostFacts(world.layout.root));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return { config: parsed.config, problems: [] };
}

async function failing() {
  const { layout, clock } = world;
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('this process cannot see itself');
  const port = await freePort();
  const phases: string[] = [];
  const supervisor = new Supervisor(
    {
      layout,
      clock,
      log: silent,
      policy: defaultPolicy,
      daemon,
      onStatus: ({ phase }) => {
        if (phases.at(-1) !== phase) phases.push(phase);
      },
      isOurs: () => true,
      doorSocket: '/nowhere',
    },
    leadTo('one', port),
  );
  const failures = async (count: number) => {
    while (phases.filter((phase) => phase === 'failed').length < count) await clock.advance(1);
  };
  /** Nothing more comes. */
  const end = async () => {
    for (let n = 0; n < 50; n++) await clock.advance(1);
    supervisor.dispatch({ type: 'stop' });
    await supervisor.left;
  };
  return { supervisor, phases, failures, end, leadTo: (name: string) => leadTo(name, port) };
}

const once = ['starting', 'stopping', 'failed'];

// Behaviour 38: `restart` uses `config.json` as it is at that moment. If settings change during a start and that
// start fails, the new settings are tried at once.
test('are tried when it has failed', async () => {
  const { supervisor, phases, failures, end, leadTo } = await failing();
  supervisor.dispatch({ type: 'start' });
  supervisor.settle(leadTo('two'));
  await failures(1);
  expect(supervisor.status().because?.message).toContain(join(world.layout.root, 'two'));
  await end();
  expect(phases).toEqual(['starting', 'stopping', ...once, 'stopped']);
});

test('that are the same are not tried again', async () => {
  const { supervisor, phases, failures, end, leadTo } = await failing();
  supervisor.dispatch({ type: 'start' });
  supervisor.settle(leadTo('one'));
  await failures(1);
  await end();
  expect(phases).toEqual([...once, 'stopped']);
});

test('who asks for a restart has what is in the file, whoever has told of it', async () => {
  const { supervisor, phases, failures, end, leadTo } = await failing();
  supervisor.dispatch({ type: 'start' });
  await failures(1);
  supervisor.settle(leadTo('two'), 'as requested');
  await failures(2);
  expect(supervisor.status().because?.message).toContain(join(world.layout.root, 'two'));
  await end();
  expect(phases).toEqual([...once, ...once, 'stopped']);
});
