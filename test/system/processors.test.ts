/** What macOS says of its fast processors, and what is made of it. */
import { expect, test } from 'vitest';
import { checkConfig, type HostFacts } from '../../src/config/config.ts';
import { describeSizes } from '../../src/setup/configure/size-warnings.ts';
import {
  coresIn,
  ownPerformanceCores,
  performanceCores,
} from '../../src/system/host/processors.ts';

const sysctl = (kinds: string | number, fast: string | number) =>
  `hw.nperflevels: ${kinds}\nhw.perflevel0.physicalcpu: ${fast}\n`;

test.each([
  [sysctl(2, 4), 4],
  [sysctl(3, 12), 12],
  // One kind: an Intel Mac of four cores with eight threads; a Mac that is a VM.
  [sysctl(1, 4), undefined],
  // Before macOS 12, where sysctl says why on another stream.
  ['', undefined],
  ['hw.perflevel0.physicalcpu: 4\n', undefined],
  ['hw.nperflevels: 2\n', undefined],
  [sysctl(2, 0), undefined],
  [sysctl(2, -1), undefined],
  [sysctl(2, '4 4'), undefined],
  ['sysctl: unknown oid', undefined],
])('%j is %s', (answer, count) => expect(coresIn(answer)).toBe(count));

test('is asked on macOS alone', () => {
  const ask = () => sysctl(2, 6);
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
