import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasBattery, isDischarging, isOnBattery } from '../../src/system/host/power.ts';
import { removeTree } from '../remove-tree.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'power-'))));
afterEach(() => removeTree(folder));

const battery = { type: 'Battery', status: 'Discharging' };
const adapter = (online: string) => ({ type: 'Mains', online });

test.each<[string, Record<string, Record<string, string>>, boolean]>([
  ['a machine without a battery', {}, false],
  ['one on mains', { AC: adapter('1'), BAT0: { ...battery, status: 'Charging' } }, false],
  ['one on its battery', { AC: adapter('0'), BAT0: battery }, true],
  ['one that knows no adapter', { BAT0: battery }, true],
  ['one with a full battery', { AC: adapter('0'), BAT0: { ...battery, status: 'Full' } }, false],
  ['one charged through USB', { 'ucsi-1': { type: 'USB_C', online: '1' }, BAT0: battery }, false],
  ['a mouse with a battery', { hid: { ...battery, scope: 'Device' } }, false],
])('%s', (_, supplies, expected) => {
  for (const [name, files] of Object.entries(supplies)) {
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(folder, name, file), `${text}\n`);
  }
  expect(isDischarging(folder)).toBe(expected);
});

test('no such folder is no battery', () => expect(isDischarging(join(folder, 'none'))).toBe(false));

test('this machine can be asked', async () =>
  expect(typeof (await isOnBattery(new AbortController().signal))).toBe('boolean'));

test.each<[string, Record<string, Record<string, string>>, boolean]>([
  ['a machine without a battery', { AC: adapter('1') }, false],
  ['a laptop', { AC: adapter('1'), BAT0: { ...battery, status: 'Full' } }, true],
  ['a mouse', { hid: { ...battery, scope: 'Device' } }, false],
  ['an uninterruptible supply', { ups: { type: 'UPS', status: 'Full' } }, false],
])('whether there is a battery: %s', (_, supplies, expected) => {
  for (const [name, files] of Object.entries(supplies)) {
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(folder, name, file), `${text}\n`);
  }
  expect(hasBattery(folder)).toBe(expected);
});
