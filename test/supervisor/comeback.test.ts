import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { settingsOfGuest } from '../../src/config/config-changes.ts';
import { parseConfig, type Config } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import type { GuestAgent } from '../../src/guest/agent/agent.ts';
import {
  chooseGuest,
  loadGuest,
  takeGuest,
  untilAwake,
} from '../../src/supervisor/idle/comeback.ts';
import { commitSaved, type SavedGuest } from '../../src/supervisor/idle/saved-guest.ts';
import type { GuestIdentity } from '../../src/supervisor/suspend/guest-identity.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { silent } from '../../src/system/log.ts';
import type { VmControl } from '../../src/vm/vm-driver.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'comeback-')));
  mkdirSync(layout.state);
  writeFileSync(layout.disk, 'the disk');
  writeFileSync(layout.unfinishedMemory, 'its memory');
});
afterEach(() => removeTree(layout.root));

const { signal } = new AbortController();
const identity = { program: 'p', machine: 'm', guest: 'g', host: 'h' };
const at = '2026-01-01T00:00:00.000Z';
const commit = () => commitSaved(layout, { identity, at, bootedAt: at, resumes: 0 });
/** 200 MB. */
const saved = { bytes: 200e6 } as SavedGuest;
const never = () => new Promise<never>(() => undefined);

/** A program that waits for a guest, and what it was told. */
function program(load: () => Promise<void>) {
  const done: string[] = [];
  const machine = {
    memory: { load: () => (done.push('load'), load()) },
    resume: () => Promise.resolve(void done.push(`resume, file ${existsSync(layout.memory)}`)),
  } as unknown as VmControl;
  return { done, machine };
}

test('a file is used up before its guest goes on', async () => {
  commit();
  const { done, machine } = program(() => Promise.resolve());
  await loadGuest(machine, saved, { layout, clock: new FakeClock(), signal });
  expect(done).toEqual(['load', 'resume, file false']);
});

test('a program that never has loaded its guest is not waited for, and its guest does not go on', async () => {
  const clock = new FakeClock();
  const { done, machine } = program(never);
  const loaded = loadGuest(machine, saved, { layout, clock, signal });
  const failure = { kind: 'guest-not-resumed', deaf: 'dead' };
  const ends = expect(loaded).rejects.toMatchObject({ failure });
  // The machine slept in the midst of it.
  await clock.advance(4_000);
  await clock.jump(3_600_000);
  await clock.advance(5_000);
  let isOver = false;
  void loaded.catch(() => (isOver = true));
  await clock.advance(0);
  expect(isOver).toBe(false);
  await clock.advance(1_000);
  await ends;
  expect(done).toEqual(['load']);
});

test('a guest that loads and says nothing is booted instead', async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const agent = { setTime: never, exec: never } as unknown as GuestAgent;
  const tunnel = { kind: 'unix', path: join(layout.state, 'none'), hello: '', answer: '' } as const;
  const awake = untilAwake({
    machine: { tunnel } as VmControl,
    agent,
    layout,
    clock,
    log: (_, event) => told.push(event),
    signal,
    isTrial: false,
  });
  const ends = expect(awake).rejects.toMatchObject({ failure: { kind: 'guest-not-resumed' } });
  await clock.advance(19_000);
  expect(told).toEqual([]);
  await clock.advance(1_000);
  await ends;
  expect(told).toEqual(['guest-not-resumed']);
});

test('whoever wants another guest has what was saved go', () => {
  commit();
  expect(takeGuest(layout, { afresh: true })).toBeUndefined();
  expect([layout.suspended, layout.memory].some(existsSync)).toBe(false);
});

const parsed = (settings: object): Config => {
  const read = parseConfig(JSON.stringify(settings), hostFacts(layout.root));
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.config;
};

test('the settings that have changed while a guest was away are named', () => {
  const before = parsed({ memoryMiB: 2048, cpus: 2 });
  const settings = settingsOfGuest(before);
  commitSaved(layout, { identity, at, bootedAt: at, resumes: 0, settings });
  const taken = takeGuest(layout, { afresh: false });
  const notes: string[] = [];
  const facts = { note: (fact: object) => void notes.push(JSON.stringify(fact)) };
  const choose = (now: GuestIdentity, other: object) => {
    const config = parsed({ memoryMiB: 2048, cpus: 2, ...other });
    return chooseGuest(taken, now, { layout, log: silent, facts, config });
  };
  // One that needs no start makes no difference.
  expect(choose(identity, { holdSeconds: 77 })).toBe(taken);
  expect(choose({ ...identity, machine: 'o', guest: 'o' }, { memoryMiB: 4096 })).toBeUndefined();
  expect(notes.splice(0)).toEqual([expect.stringContaining('(memoryMiB: 2048 to 4096)')]);
  expect(choose({ ...identity, guest: 'o' }, { holdSeconds: 77 })).toBeUndefined();
  expect(notes).toEqual([expect.not.stringContaining('holdSeconds')]);
});

test('a guest of another making boots, which is told once', () => {
  commit();
  const notes: object[] = [];
  const facts = { note: (fact: object) => void notes.push(fact) };
  const config = parsed({});
  const taken = takeGuest(layout, { afresh: false });
  expect(chooseGuest(taken, identity, { layout, log: silent, facts, config })).toBe(taken);
  const other = { ...identity, guest: 'other' };
  expect(chooseGuest(taken, other, { layout, log: silent, facts, config })).toBeUndefined();
  expect(existsSync(layout.memory)).toBe(false);
  expect(notes).toHaveLength(1);
  expect(chooseGuest(undefined, identity, { layout, log: silent, facts, config })).toBeUndefined();
  expect(notes).toHaveLength(1);
});
