import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { guestPanicked } from '../../src/domain/guest-panicked.ts';
import { keepIncident, lastIncident, type Incident } from '../../src/supervisor/health/incident.ts';
import { writtenFor } from '../../src/system/advice.ts';
import { silent, type Log } from '../../src/system/log.ts';
import type { VmControl } from '../../src/vm/vm-driver.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { readyIn } from '../model/ready.ts';
import { World } from '../model/world.ts';
import { removeTree } from '../remove-tree.ts';

test('one that cannot be kept is told, and its guest is ended all the same', async () => {
  await using world = await World.make();
  const told: string[] = [];
  const log: Log = (_level, event) => void told.push(event);
  const { supervisor, until } = await readyIn(world, { log });
  writeFileSync(world.layout.incidents, 'a file in its way');
  world.say('Kernel panic - not syncing: odd');
  await until('backing-off');
  expect(world.vms()).toEqual([]);
  expect(told).toContain('incident-not-kept');
  expect(told).not.toContain('stop-failed');
  supervisor.dispatch({ type: 'stop' });
  await until('stopped');
});

test('nothing is kept in a directory that is not ours any more', async () => {
  await using world = await World.make();
  // It is lost as soon as the end of the guest begins.
  let phases: readonly string[] = [];
  let isLost = false;
  const isOurs = () => !(isLost ||= phases.at(-1) === 'stopping');
  const ready = await readyIn(world, { isOurs });
  const { supervisor, until } = ready;
  phases = ready.phases;
  world.say('Kernel panic - not syncing: odd');
  supervisor.tick();
  // It may pass through the phases between within one step.
  await until('stopped');
  expect(await supervisor.left).toMatchObject({ kind: 'directory-lost' });
  expect(world.vms()).toEqual([]);
  expect(existsSync(world.layout.incidents)).toBe(false);
});

/** A machine that says this of itself. */
const saying = (said: string): VmControl => ({
  tunnel: { kind: 'tcp', host: '127.0.0.1', port: 1 },
  powerOff: () => Promise.resolve(),
  reason: () => undefined,
  resume: () => Promise.resolve(),
  diskOperations: () => Promise.resolve(0),
  describe: () => Promise.resolve({ said }),
  close: () => undefined,
});

describe('what is kept', () => {
  let layout: Layout;
  const clock = new FakeClock();
  const panic = guestPanicked('odd', ['line']);
  const keep = (changes: Partial<Incident>) => {
    const plain = { failure: panic, facts: {}, lines: ['line'], machine: saying('all is well') };
    return keepIncident({ ...plain, ...changes }, { layout, clock, log: silent });
  };
  const read = (name: string) =>
    readFileSync(join(layout.incidents, readdirSync(layout.incidents)[0] ?? '', name), 'utf8');
  beforeEach(() => (layout = layoutOf(mkdtempSync(join(tmpdir(), 'incident-')))));
  afterEach(() => removeTree(layout.root));

  test('is the newest ten', async () => {
    for (let n = 1; n <= 11; n++) {
      await keep({ failure: { ...panic, message: `number ${n}` } });
      await clock.advance(1_000);
    }
    expect(readdirSync(layout.incidents)).toHaveLength(10);
    expect(JSON.parse(read('state.json'))).toMatchObject({ failure: { message: 'number 2' } });
    expect(lastIncident(layout)?.message).toBe('number 11');
  });

  test('is all of a short one', async () => {
    await keep({ facts: { vmPid: 7 } });
    expect(read('console.txt')).toBe('line\n');
    const vm = { said: 'all is well' };
    expect(JSON.parse(read('state.json'))).toEqual({
      failure: writtenFor(panic, undefined),
      facts: { vmPid: 7 },
      vm,
    });
  });

  test('is the end of a long console, whole lines of it', async () => {
    await keep({ lines: Array.from({ length: 200 }, (_, n) => `${n} ${'ü'.repeat(4096)}`) });
    const lines = read('console.txt').trimEnd().split('\n');
    expect(Buffer.byteLength(read('console.txt'))).toBeLessThanOrEqual(100_000);
    expect(lines.map((line) => Number(line.split(' ')[0]))).toEqual(
      Array.from({ length: 12 }, (_, n) => 188 + n),
    );
  });

  test.each([
    ['what the VM program says', { machine: saying('"'.repeat(200_000)) }],
    ['the last words', { failure: { ...panic, lines: ['"'.repeat(200_000)] } }],
  ])('is told by the status though %s is long', async (_, changes) => {
    await keep(changes);
    expect(read('state.json').length).toBeLessThanOrEqual(100_000);
    expect(lastIncident(layout)).toMatchObject({ kind: panic.kind, message: panic.message });
  });
});
