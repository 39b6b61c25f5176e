import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { label } from '../../src/service/launchd/launch-agent.ts';
import { pidFiles } from '../../src/supervisor/stop/leftovers.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import { readLive } from '../../src/system/files/pidfile.ts';
import { identify } from '../../src/system/process/process.ts';
import { until } from '../../src/system/time/wait.ts';
import { fakeKernel } from '../fakes/fake-image.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { launchdRig } from './rig.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
/** A QEMU as Nixpkgs wraps it, whose guest never says a word, and an image that it could be. */
let folder: string;
beforeAll(async () => {
  program = await buildProgram();
  folder = mkdtempSync(join(tmpdir(), 'children-'));
  mkdirSync(join(folder, 'bin'));
  for (const name of ['qemu-system-x86_64', 'qemu-system-aarch64']) {
    const wrapped = join(folder, 'bin', `.${name}-wrapped`);
    copyFileSync('/bin/sleep', wrapped);
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\nexec '${wrapped}' 600\n`);
    chmodSync(join(folder, 'bin', name), 0o755);
  }
  writeFileSync(join(folder, 'guest-kernel'), fakeKernel('6.1'));
  writeFileSync(join(folder, 'guest-initrd.img'), gzipSync('initrd'));
  writeFileSync(join(folder, 'guest-cmdline'), 'quiet\n');
});
afterAll(() => {
  program[Symbol.dispose]();
  removeTree(folder);
});

type Rig = Awaited<ReturnType<typeof launchdRig>>;

const comes = async (fact: () => boolean, what: string) =>
  expect(
    await until(fact, { clock: systemClock, everyMs: 5, timeoutMs: 30_000 }),
    `waited in vain: ${what}`,
  ).toBe('held');

const configure = (rig: Rig) =>
  rig.run('configure', '--accelerator', 'tcg', '--disk', '2', '--bundle', join(folder, 'guest'));

/** The pid of the VM process, once there is one other than `before`. */
async function vmOf(rig: Rig, before?: number): Promise<number> {
  const pid = () => readLive(pidFiles(rig.layout, 'qemu'))?.pid;
  await comes(() => pid() !== undefined && pid() !== before, 'a VM');
  return pid() ?? 0;
}

function daemonOf(rig: Rig): number {
  const found = rig.status();
  if (found.daemon !== 'alive') throw new Error('it runs');
  return found.status.daemon.pid;
}

describe('a VM of the daemon', { timeout: 120_000 }, () => {
  test("outlives launchd's SIGTERM to the group of a daemon that was killed, and is ended before the next one's", async () => {
    // It comes back when this test says so.
    const options = { throttleSecondMs: 60_000, path: join(folder, 'bin') };
    const env = { PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` };
    await using rig = await launchdRig(program, { ...options, env });
    expect(await configure(rig)).toMatchObject({ code: 0 });
    expect(await rig.run('start')).toMatchObject({ code: 0 });
    const vm = await vmOf(rig);
    const job = rig.launchd.job(label);
    process.kill(daemonOf(rig), 'SIGKILL');
    // The group has been told by then.
    await comes(() => job?.state === 'spawn scheduled', 'a wait');
    expect(identify(vm)?.program).toMatch(/-wrapped$/);
    expect(isLocked(rig.layout.vmLock)).toBe(true);

    job?.start();
    const next = await vmOf(rig, vm);
    expect(identify(vm)).toBeUndefined();
    const ends = rig
      .log()
      .split('\n')
      .filter((line) => line.includes('"leftover-ended"'))
      .map((line) => JSON.parse(line) as object);
    expect(ends).toMatchObject([{ what: 'vm', by: 'SIGTERM' }]);
    expect((await rig.run('stop', '--now')).code).toBe(0);
    expect(identify(next)).toBeUndefined();
  });

  test(
    "knows nothing of the terminal's NODE_OPTIONS, nor does the daemon",
    needs('Linux'),
    async () => {
      await using rig = await launchdRig(program, {
        path: join(folder, 'bin'),
        terminal: {
          LINUXKIT_BUILDER_SERVICE: 'none',
          NODE_OPTIONS: '--title=of-the-terminal',
          SECRET: 'of-the-terminal',
        },
      });
      expect(await configure(rig)).toMatchObject({ code: 0 });
      expect((await rig.run('start')).out).toMatch(/^Started the daemon \(pid/);
      for (const pid of [daemonOf(rig), await vmOf(rig)]) {
        const env = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        expect(env.filter((each) => each.includes('of-the-terminal'))).toEqual([]);
        expect(env.filter((each) => each.startsWith('PATH='))).toHaveLength(1);
      }
      expect((await rig.run('stop', '--now')).code).toBe(0);
    },
  );
});
