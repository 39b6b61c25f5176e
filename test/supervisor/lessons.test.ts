/** What the supervisor makes of a start that was lost to its VM program, with `vm` `auto`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import { takeLesson } from '../../src/supervisor/start/lessons.ts';
import { step } from '../../src/supervisor/lifecycle/lifecycle.ts';
import { Scope } from '../../src/supervisor/scope.ts';
import type { State } from '../../src/supervisor/lifecycle/state.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { readVerdicts } from '../../src/domain/verdicts.ts';
import { chooseVm } from '../../src/vm/choose-vm.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { World } from '../model/world.ts';

const failure: Failure = {
  kind: 'vm-forbidden',
  message: 'It is not signed.',
  hint: 'Sign it.',
  exit: Exit.unavailable,
  recovery: 'give-up',
  vmFault: 'lasts',
};
const lost = { type: 'lost', failure } as const;
const starting: State = { phase: 'starting', since: 0, attempt: 1 };

// Behaviour 59: The daemon acts on such a failure even if it cannot record it. It then remembers the failure until a
// restart is requested.
// Behaviour 53: With `vm` set to `auto`, a program that does not work is replaced by the next one within the same
// start. A program that `vm` names is never replaced.
test.each([
  ['auto', 'vm-rejected', 'starting'],
  ['vfkit', 'vm-forbidden', 'failed'],
] as const)('with vm %s: %s, and it is %s then', async (vm, kind, phase) => {
  await using world = await World.make();
  const config = { ...world.config, vm, network: 'auto' as const };
  const scope = {
    running: { tried: { driver: vmDrivers.vfkit } },
    config,
    guest: { has: () => false },
  };
  const known = { layout: world.layout, now: 0, known: () => [] };
  const { event, effects } = takeLesson(lost, starting, scope, known);
  expect(event).toMatchObject({ type: 'lost', failure: { kind } });
  const verdict = { subject: 'vm', way: 'vfkit', why: failure.message };
  expect(effects).toMatchObject(vm === 'auto' ? [{ type: 'reject', verdict }] : []);
  expect(readVerdicts(world.layout.verdicts)).toEqual([]);
  // The guest that was ready has nothing to teach of its program.
  const ready = { phase: 'ready', since: 0, attempt: 1 } as const;
  expect(takeLesson(lost, ready, scope, known)).toEqual({ event: lost, effects: [] });
  const stopping = step(starting, event, 0, defaultPolicy).state;
  expect(stopping.phase).toBe('stopping');
  expect(step(stopping, { type: 'children-gone' }, 0, defaultPolicy).state.phase).toBe(phase);
});

test.each([
  ['one panic of several emulated processors', 'tcg', 2, 1, 'guest-panicked', false],
  ['the second in a row', 'tcg', 2, 2, 'guest-panicked', true],
  ['one of a single processor', 'tcg', 1, 1, 'guest-panicked', true],
  ['one where nothing is emulated', 'kvm', 2, 1, 'guest-panicked', true],
  ['anything else that the guest does', 'tcg', 2, 1, 'guest-root-broken', true],
] as const)(
  'whether a new image is set aside: %s',
  async (_, accelerator, cpus, attempt, kind, isBlamed) => {
    await using world = await World.make();
    const { vmFault, ...plain } = failure;
    const panicked: Failure = { ...plain, kind, blames: 'image', recovery: 'retry' };
    const images = { newest: 'new', good: 'old', rejected: undefined };
    const tried = {
      driver: vmDrivers.qemu,
      used: { accelerator, program: '/qemu' },
      image: { prefix: '/p', images },
    };
    const guest = { has: () => true };
    const scope = { running: { tried }, config: { ...world.config, cpus }, guest };
    const known = { layout: world.layout, now: 0, known: () => [] };
    const state: State = { phase: 'booting', since: 0, attempt, stage: undefined };
    const { event } = takeLesson({ ...lost, failure: panicked }, state, scope, known);
    expect(event).toMatchObject({ failure: { kind: isBlamed ? 'image-rejected' : kind } });
  },
);

const noSlirp =
  "qemu-system-x86_64: -netdev user,id=net: network backend 'user' is not compiled into this binary";
test.each([
  ['auto', 'network-rejected', 'starting'],
  ['user', 'vm-lacks-part', 'failed'],
] as const)(
  'with network %s a QEMU without one of its own: %s, and it is %s then',
  async (network, kind, phase) => {
    await using world = await World.make();
    process.env['PATH'] = programs(world, 'qemu-system-x86_64', 'qemu-system-aarch64', 'gvproxy');
    const lacks = { ...failure, kind: 'vm-lacks-part', lines: [noSlirp] };
    const config = { ...world.config, vm: 'auto' as const, network };
    const scope = {
      running: { tried: { driver: vmDrivers.qemu } },
      config,
      guest: { has: () => false },
    };
    const known = { layout: world.layout, now: 0, known: () => [] };
    const { event, effects } = takeLesson({ ...lost, failure: lacks }, starting, scope, known);
    const verdict = { subject: 'network', way: 'user' };
    expect(effects).toMatchObject(network === 'auto' ? [{ type: 'reject', verdict }] : []);
    expect(event).toMatchObject({ type: 'lost', failure: { kind } });
    const stopping = step(starting, event, 0, defaultPolicy).state;
    expect(step(stopping, { type: 'children-gone' }, 0, defaultPolicy).state.phase).toBe(phase);
  },
);

const path = process.env['PATH'];
afterEach(() => void (process.env['PATH'] = path));

/** A PATH with these programs and no others. */
function programs({ layout }: World, ...names: string[]): string {
  const folder = join(layout.root, 'bin');
  mkdirSync(folder);
  for (const name of names) writeFileSync(join(folder, name), '', { mode: 0o755 });
  return folder;
}

test('which program was taken, and why, is said', async () => {
  await using world = await World.make();
  const config = { ...world.config, vm: 'auto', network: 'auto' } as const;
  const { layout, clock } = world;
  const choice = chooseVm({ config, layout, known: [] });
  const news = { onEvent: () => undefined, onChange: () => undefined };
  const scope = new Scope({ layout, clock, log: silent, config, choice }, news);
  expect(scope.running.tried.driver).toBe(vmDrivers.qemu);
  const { vmChoice } = scope.facts.all;
  expect(vmChoice?.vm).toBe('qemu');
  expect(vmChoice?.why).toMatch(/^QEMU /);
  scope.end();
});
