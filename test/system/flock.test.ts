import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf } from '../../src/system/failure.ts';
import { withOperationLock, isLocked, tryKernelLock } from '../../src/system/lock/lock.ts';
import { lockless, locklessPath, type Lockless } from '../rig/lockless.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flock-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const failing = async (work: () => unknown) => {
  try {
    await work();
  } catch (error) {
    return failureOf(error);
  }
  return undefined;
};

describe.runIf(process.platform === 'linux')('a file system that keeps no locks', () => {
  test.each(Object.keys(lockless) as Lockless[])('is told and not waited for: %s', async (kind) => {
    const path = join(dir, 'x');
    vi.stubEnv('PATH', locklessPath(dir, kind));
    const failure = {
      kind: 'no-locks',
      message: `The file system that holds ${path} keeps no locks (${lockless[kind].why}).`,
    };
    expect(await failing(() => tryKernelLock(path))).toMatchObject(failure);
    expect(await failing(() => isLocked(path))).toMatchObject(failure);
    const section = () => withOperationLock(path, { clock: systemClock }, () => Promise.resolve());
    expect(await failing(section)).toMatchObject({ kind: 'no-locks' });
  });
});
