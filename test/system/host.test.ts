import { mkdtempSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Failed } from '../../src/system/failure.ts';
import { hostFacts, supported, systemBuild } from '../../src/system/host/host.ts';
import { removeTree } from '../remove-tree.ts';

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

test('an update of macOS is another build, also where it leaves the kernel as it is', () => {
  const dir = mkdtempSync(join(tmpdir(), 'host-'));
  const plist = (build: string) => {
    writeFileSync(
      join(dir, 'v'),
      `<plist version="1.0">\n<dict>\n\t<key>ProductBuildVersion</key>\n\t<string>${build}</string>\n</dict>\n</plist>\n`,
    );
    return systemBuild(join(dir, 'v'));
  };
  try {
    expect(plist('24D60')).toBe(`${release()} 24D60`);
    expect(plist('24D70')).toBe(`${release()} 24D70`);
    // No macOS, or nothing that could be read.
    for (const path of [join(dir, 'none'), dir]) expect(systemBuild(path)).toBe(release());
  } finally {
    removeTree(dir);
  }
});
