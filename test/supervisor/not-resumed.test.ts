/** A start that takes the file of a suspended guest and does not come to its plan: why that guest is not resumed is told by the next one. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { commitSaved } from '../../src/supervisor/idle/saved-guest.ts';
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import type { Phase } from '../../src/supervisor/lifecycle/state.ts';
import { endedTooEarly } from '../../src/supervisor/stop/end-scope.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { identify } from '../../src/system/process/process.ts';
import { World } from '../model/world.ts';

const identity = { program: 'p', machine: 'm', guest: 'g', host: 'h' };
const at = '2026-01-01T00:00:00.000Z';

/** A guest is away as a file in this world, and its disk is none that a guest could boot from. */
function save({ layout }: World): void {
  mkdirSync(dirname(layout.disk), { recursive: true });
  writeFileSync(layout.disk, 'no disk of ours');
  writeFileSync(layout.unfinishedMemory, 'its memory');
  commitSaved(layout, { identity, at, bootedAt: at, resumes: 0 });
}

function daemonOf({ layout, config, clock }: World, onLog: (event: string) => void) {
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('this process cannot see itself');
  const told: string[] = [];
  const log = (_: unknown, event: string, fields?: object) => {
    if (event === 'guest-not-resumed') told.push(String((fields as { why?: unknown }).why));
    onLog(event);
  };
  const supervisor: Supervisor = new Supervisor(
    {
      layout,
      clock,
      daemon,
      log,
      policy: defaultPolicy,
      doorSocket: '/nowhere',
      isOurs: () => true,
    },
    { config, problems: [] },
  );
  const until = async (phase: Phase) => {
    while (supervisor.status().phase !== phase) await clock.advance(1);
    return supervisor.status();
  };
  return { supervisor, until, told };
}

test.each([
  ['was whole', () => undefined, endedTooEarly],
  [
    'was damaged',
    ({ layout }: World) => writeFileSync(layout.memory, 'other'),
    'its file is damaged',
  ],
])('where the file %s and the starts are lost', async (_, harm, why) => {
  await using world = await World.make();
  save(world);
  harm(world);
  const { supervisor, until, told } = daemonOf(world, () => undefined);
  supervisor.dispatch({ type: 'start' });
  expect((await until('failed')).notResumed).toBeUndefined();
  rmSync(world.layout.disk);
  supervisor.dispatch({ type: 'restart', why: 'it is mended' });
  const { notResumed } = await until('booting');
  expect(notResumed).toBe(`It was suspended but could not be resumed: ${why}.`);
  expect([...new Set(told)]).toEqual([why]);
  // Once.
  supervisor.dispatch({ type: 'rest', why: { type: 'asked' } });
  await until('away');
  supervisor.dispatch({ type: 'wanted', why: 'it is' });
  expect((await until('booting')).notResumed).toBeUndefined();
  supervisor.dispatch({ type: 'stop' });
  await until('stopped');
});

test.each(['seen', 'accelerator'])('where the start is stopped at: %s', async (step) => {
  await using world = await World.make();
  save(world);
  rmSync(world.layout.disk);
  let isFirst = true;
  const { supervisor, until, told } = daemonOf(world, (event) => {
    if (event !== step || !isFirst) return;
    isFirst = false;
    supervisor.dispatch({ type: 'rest', why: { type: 'asked' } });
  });
  supervisor.dispatch({ type: 'start' });
  await until('away');
  supervisor.dispatch({ type: 'wanted', why: 'it is' });
  const { notResumed } = await until('booting');
  expect(notResumed).toMatch(/could not be resumed: its disk has changed/);
  expect(told).toHaveLength(1);
  supervisor.dispatch({ type: 'stop' });
  await until('stopped');
});
