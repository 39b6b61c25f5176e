import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parseConfig, type Config } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import type { Scope } from '../../src/supervisor/scope.ts';
import { obstacleTo, type SuspendObstacle } from '../../src/supervisor/idle/suspend-obstacle.ts';
import { noteFailure, noteSuccess } from '../../src/supervisor/suspend/suspend-trial.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

/** What is free on the host's disk. */
const disk = vi.hoisted(() => {
  // What another file's tests have loaded asks the real disk.
  vi.resetModules();
  return { free: Infinity };
});
vi.mock('../../src/supervisor/disk/disk-room.ts', async (original) => ({
  ...(await original<typeof import('../../src/supervisor/disk/disk-room.ts')>()),
  hasRoom: (_: string, bytes: number) => disk.free >= bytes,
}));

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'obstacle-')));
  mkdirSync(layout.state);
});
afterEach(() => {
  disk.free = Infinity;
  removeTree(layout.root);
});

const day = 24 * 3_600_000;
const clock = new FakeClock();
const bootedAgo = (ms: number) => new Date(clock.now() - ms).toISOString();

/** How a guest is that can be suspended, and what is otherwise. */
interface Odd {
  readonly settings?: object;
  /** As they are now; by default those of the guest. */
  readonly now?: object;
  readonly row?: object;
  readonly used?: object | undefined;
  readonly machine?: object | undefined;
  readonly facts?: object;
  readonly keeping?: object;
  readonly guest?: object;
}

function configWith(settings: object): Config {
  const parsed = parseConfig(JSON.stringify(settings), hostFacts(layout.root));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

function obstacleIn(odd: Odd = {}): SuspendObstacle['kind'] | undefined {
  const settings = { memoryMiB: 512, idle: { how: 'auto' }, ...odd.settings };
  const config = configWith(settings);
  const used = 'used' in odd ? odd.used : { accelerator: 'tcg', program: '/q' };
  const machine = 'machine' in odd ? odd.machine : { memory: {} };
  const keeping = { basis: 'b', bootedAt: bootedAgo(0), resumes: 0, keys: 'k', ...odd.keeping };
  const scope = {
    config,
    facts: { all: { ...odd.facts } },
    running: {
      tried: { driver: { row: odd.row ?? vmPrograms.qemu }, used },
      // No process has that number: what it may have is what it needs.
      vm: { child: { pid: -1 }, machine },
      guest: { keeping, keys: 'k', names: { areOthers: false }, wasReady: true, ...odd.guest },
    },
  };
  const now = configWith({ ...settings, ...odd.now });
  // One cast: the little of a scope that is looked at.
  return obstacleTo(scope as unknown as Scope, now, { layout, clock })?.kind;
}

test('a guest that is well and as it booted is suspended', () => {
  expect(obstacleIn()).toBeUndefined();
  noteSuccess(layout, 'b');
  expect(obstacleIn()).toBeUndefined();
  // What needs no restart is no change of the guest.
  expect(obstacleIn({ now: { holdSeconds: 77 } })).toBeUndefined();
  expect(obstacleIn({ facts: { health: 'well', complaints: [] } })).toBeUndefined();
});

test.each<[SuspendObstacle['kind'], string, Odd]>([
  ['settings', 'the settings say so', { settings: { idle: { how: 'stop' } } }],
  ['program', 'it runs in HyperKit', { row: vmPrograms.hyperkit }],
  ['program', 'it runs in vfkit', { row: vmPrograms.vfkit }],
  ['program', 'nobody can reach its memory', { machine: {} }],
  ['notReady', 'its program does not answer', { machine: undefined }],
  ['notReady', 'nobody knows how its program runs it', { used: undefined }],
  ['health', 'it is slow', { facts: { health: 'slow' } }],
  ['notReady', 'it boots', { guest: { wasReady: false } }],
  [
    'complaints',
    'it has complained',
    { facts: { complaints: [{ what: 'oops', text: 't', at: '' }] } },
  ],
  ['age', 'it has run for a week', { keeping: { bootedAt: bootedAgo(7 * day + 1) } }],
  ['resumes', 'it has been resumed 200 times', { keeping: { resumes: 200 } }],
  ['changes', 'it is to have more memory', { now: { memoryMiB: 1024 } }],
  ['keys', 'somebody is out again', { guest: { keys: 'other' } }],
  ['names', 'the network is another', { guest: { names: { areOthers: true } } }],
])('%s: a guest is stopped where %s', (obstacle, _why, odd) =>
  expect(obstacleIn(odd)).toBe(obstacle),
);

test('a guest is stopped where there is no room for its file and a GiB beside', () => {
  disk.free = (512 + 1024) * 1024 ** 2;
  expect(obstacleIn()).toBeUndefined();
  disk.free--;
  expect(obstacleIn()).toBe('space');
});

test('a guest that is not there is not suspended', () =>
  expect(obstacleTo(undefined, configWith({}), { layout, clock })?.kind).toBe('noGuest'));

test('a way that has failed twice is not gone again', () => {
  const failure = { message: 'It broke.', suspendFault: true } as const;
  for (let n = 0; n < 2; n++) noteFailure(layout, 'b', failure, clock.now());
  expect(obstacleIn()).toBe('failures');
  expect(obstacleIn({ keeping: { basis: 'another build' } })).toBeUndefined();
});
