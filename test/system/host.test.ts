import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Failed } from '../../src/system/failure.ts';
import { hostFacts, supported } from '../../src/system/host/host.ts';

describe('the host', () => {
  test('is measured, for a directory that need not exist yet', () => {
    const facts = hostFacts(join(tmpdir(), 'not', 'there', 'yet'));
    expect(facts).toEqual({ ...hostFacts(tmpdir()), diskFreeGiB: facts.diskFreeGiB });
    for (const value of [facts.cpus, facts.memoryMiB, facts.diskGiB])
      expect(value).toBeGreaterThan(0);
    expect(facts.diskFreeGiB).toBeLessThanOrEqual(facts.diskGiB);
  });

  test('of another kind is a failure', () => {
    expect(() => supported('x64', 'win32')).toThrow(Failed);
    expect(() => supported('riscv64', 'linux')).toThrow('riscv64');
  });
});
