/** What macOS says of its fast processors, and what is made of it. */
import { expect, test } from 'vitest';
import { checkConfig, type HostFacts } from '../../src/config/config.ts';
import { describeSizes } from '../../src/setup/configure/size-warnings.ts';
import {
  coresIn,
  ownPerformanceCores,
  performanceCores,
} from '../../src/system/host/processors.ts';

test.each([
  ['4\n', 4],
  ['12', 12],
  ['', undefined],
  ['0\n', undefined],
  ['-1', undefined],
  ['sysctl: unknown oid', undefined],
  ['4 4', undefined],
])('%j is %s', (answer, count) => expect(coresIn(answer)).toBe(count));

test('is asked on macOS alone', () => {
  const ask = () => '6\n';
  expect(performanceCores('darwin', ask)).toBe(6);
  expect(performanceCores('linux', ask)).toBeUndefined();
  if (process.platform !== 'darwin') expect(ownPerformanceCores()).toBeUndefined();
});

const host: HostFacts = {
  arch: 'arm64',
  platform: 'darwin',
  cpus: 10,
  memoryMiB: 16_384,
  diskGiB: 500,
  diskFreeGiB: 100,
};
const configOf = (json: object, facts: HostFacts) => {
  const parsed = checkConfig(json, facts);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
};

test('the guest has as many CPUs as there are fast ones, at most 8; all where there is one kind', () => {
  const cpus = (changes: Partial<HostFacts>, json = {}) =>
    configOf(json, { ...host, ...changes }).cpus;
  expect(cpus({ performanceCores: 4 })).toBe(4);
  expect(cpus({ performanceCores: 12, cpus: 16 })).toBe(8);
  expect(cpus({})).toBe(8);
  expect(cpus({ cpus: 2, performanceCores: 4 })).toBe(2);
  expect(cpus({ performanceCores: 4 }, { cpus: 10 })).toBe(10);
});

test('the sizes of a new builder are said, with the reason of the CPUs where there are two kinds', () => {
  const fast = { ...host, performanceCores: 4 };
  expect(describeSizes(configOf({}, fast), fast)).toContain('4 of 10 CPUs (the fast ones), 4096');
  expect(describeSizes(configOf({ cpus: 3 }, host), host)).toContain('3 of 10 CPUs, 4096');
});
