import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemNames } from '../../src/domain/guest-system.ts';
import { run } from '../../src/system/process/child.ts';
import { trialInit, trialInitrd, trialLine } from '../../src/vm/qemu/trial-init.ts';
import { unpackCpio } from '../fakes/unpack-cpio.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

test.each(systemNames)('the program for %s is one segment, which is all of the file', (system) => {
  const file = Buffer.from(trialInit(system));
  expect(file.readUInt32BE(0)).toBe(0x7f454c46);
  const entry = Number(file.readBigUInt64LE(24) - file.readBigUInt64LE(64 + 16));
  expect(entry).toBe(64 + 56);
  expect(Number(file.readBigUInt64LE(64 + 32))).toBe(file.length);
  expect(file.subarray(-trialLine.length - 1).toString()).toBe(`${trialLine}\n`);
});

test('the archive holds it as /init', () => {
  const files = unpackCpio(Buffer.from(trialInitrd('x86_64-linux')));
  expect([...files.keys()]).toEqual(['init']);
  expect(files.get('init')?.mode).toBe(0o100755);
});

// It is no more than a process here; in a trial it is the whole of userspace.
test('says its line and ends by itself', needs('Linux', 'x86-64'), async () => {
  const dir = mkdtempSync(join(tmpdir(), 'init-'));
  try {
    const path = join(dir, 'init');
    writeFileSync(path, trialInit('x86_64-linux'));
    chmodSync(path, 0o755);
    const { stdout, ended } = await run(path, []);
    expect({ stdout, ended }).toEqual({
      stdout: `${trialLine}\n`,
      ended: { kind: 'exited', code: 0 },
    });
  } finally {
    removeTree(dir);
  }
});
