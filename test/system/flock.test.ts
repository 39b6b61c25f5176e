import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf } from '../../src/system/failure.ts';
import { withOperationLock, isLocked, tryKernelLock } from '../../src/system/lock/lock.ts';
import { makeProgram } from '../rig/other-process.ts';
import { lockless, locklessPath, type Lockless } from '../rig/lockless.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flock-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  removeTree(dir);
});

const failing = async (work: () => unknown) => {
  try {
    await work();
  } catch (error) {
    return failureOf(error);
  }
  return undefined;
};

/** BusyBox's, where it has one and where it was built without; and somebody's that is not meant to lock for others. */
const others = [
  ['echo "flock: unrecognized option: E" >&2; exit 1', 'unrecognized option: E'],
  [
    'echo "flock: invalid option -- E" >&2; echo "Usage: flock [-sxun] FD" >&2; exit 1',
    'invalid option',
  ],
  ['echo "flock: applet not found" >&2; exit 127', 'applet not found'],
] as const;

// Behaviour 230: If locks cannot be used because this machine's `flock` is not the one from util-linux, the message
// says that, and not that the file system does not support locks.
test.each(others)(
  'a flock that cannot do what is needed is named, and no file system: %s',
  needs('Linux'),
  async (script, why) => {
    writeFileSync(join(dir, 'flock'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${dir}:${process.env['PATH'] ?? ''}`);
    const failure = await failing(() => tryKernelLock(join(dir, 'x')));
    expect(failure).toMatchObject({ kind: 'flock-unfit', exit: 69 });
    expect(failure?.message).toContain(join(dir, 'flock'));
    expect(failure?.message).toContain(why);
  },
);

test('a flock that is killed says nothing of the file system', needs('Linux'), async () => {
  writeFileSync(join(dir, 'flock'), '#!/bin/sh\nkill -KILL $$\n', { mode: 0o755 });
  vi.stubEnv('PATH', `${dir}:${process.env['PATH'] ?? ''}`);
  expect(await failing(() => tryKernelLock(join(dir, 'x')))).toMatchObject({
    kind: 'cannot-start',
    recovery: 'wait',
  });
});

describe('a file system that keeps no locks', needs('Linux'), () => {
  test.each(Object.keys(lockless) as Lockless[])('is told and not waited for: %s', async (kind) => {
    const path = join(dir, 'x');
    vi.stubEnv('PATH', locklessPath(dir, kind));
    const failure = {
      kind: 'no-locks',
      message: `Cannot lock ${path}: its file system does not support locks (${lockless[kind].why}).`,
    };
    expect(await failing(() => tryKernelLock(path))).toMatchObject(failure);
    expect(await failing(() => isLocked(path))).toMatchObject(failure);
    const section = () => withOperationLock(path, { clock: systemClock }, () => Promise.resolve());
    expect(await failing(section)).toMatchObject({ kind: 'no-locks' });
  });
});

/** It has threads of its own already, so that a limit of one process lets it start none. */
test(
  'a user who may have no more processes is told that, and no file system is blamed',
  needs('root', { programs: ['prlimit'] }),
  async () => {
    const program = await makeProgram(
      dir,
      `import { spawnSync } from 'node:child_process';
      import { failureOf } from '../../src/system/failure.ts';
      import { tryKernelLock } from '../../src/system/lock/lock.ts';
      spawnSync('prlimit', ['--pid', String(process.pid), '--nproc=1']);
      try { tryKernelLock(process.argv[2]); } catch (error) { console.log(failureOf(error).kind); }`,
    );
    chmodSync(dir, 0o755);
    chmodSync(program, 0o755);
    const room = mkdtempSync(join(tmpdir(), 'nproc-'));
    try {
      // Root may have any number; nobody else has this one.
      chownSync(room, 54_322, 54_322);
      const { stdout } = spawnSync(process.execPath, [program, join(room, 'lock')], {
        uid: 54_322,
        gid: 54_322,
        encoding: 'utf8',
      });
      expect(stdout).toBe('cannot-start\n');
    } finally {
      removeTree(room);
    }
  },
);
