import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeepAwake, noCaffeinate } from '../../src/supervisor/daemon/keep-awake.ts';
import { fakeCaffeinate, type FakeCaffeinate } from '../fakes/fake-caffeinate.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { fact } from '../real/command.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let caffeinate: FakeCaffeinate;
let said: unknown[];
let clock: FakeClock;
let awake: KeepAwake;
const path = process.env['PATH'];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'awake-'));
  caffeinate = fakeCaffeinate(dir);
  process.env['PATH'] = `${caffeinate.bin}:${path ?? ''}`;
  // Its own: what the last test's child says at its end comes late.
  const mine: unknown[] = (said = []);
  clock = new FakeClock();
  awake = new KeepAwake(clock, (level, _event, fields) => void mine.push([level, fields]));
});
afterEach(async () => {
  awake.end();
  await runs(0);
  process.env['PATH'] = path;
  removeTree(dir);
});
const runs = (count: number) => fact(`${count} run`, () => caffeinate.living().length === count);

// Behaviour 120: On AC power, a Mac stays awake while a connection is logged in. `caffeinate`, which keeps it awake,
// runs only during that time, and exits with the daemon, however the daemon ends.
test('one runs while somebody is in, through pauses that are short, and a moment longer', async () => {
  awake.want(true);
  expect(clock.due).toEqual([]);
  awake.note(1);
  awake.note(2);
  await runs(1);
  awake.note(0);
  await clock.advance(9_000);
  awake.note(1);
  awake.note(0);
  await clock.advance(9_000);
  expect(caffeinate.living()).toHaveLength(1);
  await clock.advance(1_000);
  await runs(0);
  expect(caffeinate.begun()).toBe(1);
  // Nothing wakes an idle daemon.
  expect(clock.due).toEqual([]);
  awake.note(1);
  await runs(1);
  expect(caffeinate.begun()).toBe(2);
});

test('none runs where it is not wanted, and it ends when it is not wanted any more', async () => {
  awake.note(1);
  expect(caffeinate.begun()).toBe(0);
  awake.want(true);
  await runs(1);
  awake.want(false);
  await runs(0);
  expect(clock.due).toEqual([]);
});

test('one that cannot is told, and not tried again while it is needed', async () => {
  writeFileSync(join(caffeinate.bin, 'caffeinate'), '#!/bin/sh\necho odd >&2\nexit 1\n');
  awake.want(true);
  awake.note(1);
  await fact('it is told', () => said.length === 2);
  expect(said[1]).toEqual(['warn', { is: false, ended: { kind: 'exited', code: 1 }, said: 'odd' }]);
  awake.note(2);
  expect(said).toHaveLength(2);
});

test('where there is none, that is told', () => {
  process.env['PATH'] = '/nowhere';
  awake.want(true);
  awake.note(1);
  awake.note(2);
  expect(said).toEqual([['warn', { is: false, why: noCaffeinate }]]);
});
