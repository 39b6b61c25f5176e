import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  collectGarbage,
  collectScript,
  stopCollecting,
  stopScript,
  tidyGuest,
  tidyScript,
  trimGuest,
} from '../../src/guest/agent/give-back.ts';
import { keptBuilds } from '../../src/guest/debug/kept-builds.ts';
import { findProgram } from '../../src/system/process/find-program.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const root = mkdtempSync(join(tmpdir(), 'lk-give-'));
afterEach(() => removeTree(root));

/** Runs the script in a guest of a few files, whose programs say what they were asked; the names of those that ran. */
function tidy(
  guest: {
    readonly owners: readonly string[];
    readonly cachedMiB: number;
    readonly order?: number;
  },
  real: readonly string[] = [],
) {
  const bin = join(root, 'bin');
  for (const path of [bin, join(root, 'proc/sys/vm'), join(root, 'proc/1')])
    mkdirSync(path, { recursive: true });
  const says = join(root, 'says');
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\necho ${name} >>${says}\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  program('stat', `printf '%s\\n' ${guest.owners.join(' ')}`);
  for (const name of ['sync', 'fstrim', 'nix-daemon', 'cat']) program(name, '');
  program('df', "echo '/dev/vda 100 10 90 10% /nix'");
  program('grep', 'exec /usr/bin/env -i PATH=/usr/bin:/bin grep "$@"');
  for (const name of real) symlinkSync(findProgram(name), join(bin, name));
  const parameters = join(root, 'sys/module/page_reporting/parameters');
  const order = join(parameters, 'page_reporting_order');
  mkdirSync(parameters, { recursive: true });
  if (guest.order !== undefined) writeFileSync(order, `${guest.order}\n`);
  const during = join(root, 'during');
  program('sleep', `read -r order <${order} && echo $1 $order >${during}`);
  const drop = join(root, 'proc/sys/vm/drop_caches');
  writeFileSync(drop, '');
  const kib = guest.cachedMiB * 1024 + 5;
  writeFileSync(
    join(root, 'proc/meminfo'),
    `MemTotal: 2048000 kB\nCached: ${kib} kB\nMapped: 4 kB\nShmem: 2 kB\nSReclaimable: 1 kB\n`,
  );
  const { status, stdout } = spawnSync('/bin/sh', ['-c', tidyScript(root)], {
    env: { PATH: bin },
    encoding: 'utf8',
    // The last one is closed when all that it has begun has ended.
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  // stat and grep run at the same time.
  const ran = readFileSync(says, 'utf8')
    .trim()
    .split('\n')
    .filter((name) => name !== 'stat');
  const orders = [during, order].map((file) =>
    existsSync(file) ? readFileSync(file, 'utf8') : '',
  );
  return { status, stdout, ran, dropped: readFileSync(drop, 'utf8'), orders };
}

// Behaviour 126: Once the guest has been unused for half a minute, it frees the memory of its caches and gives back its
// free disk blocks. If less than a quarter of the guest's disk is free, or less than 8 GiB on the host's disk, old
// store paths in the guest are deleted as well. The daemon starts none of this during a build.
describe('what a guest does when nobody uses it', () => {
  test('writes out, drops what its caches hold, and says what room there is', () =>
    expect(tidy({ owners: ['root', 'sshd'], cachedMiB: 64 })).toEqual({
      status: 0,
      stdout: '/dev/vda 100 10 90 10% /nix\n',
      dropped: '3\n',
      ran: ['grep', 'sync', 'cat', 'nix-daemon', 'df'],
      orders: ['', ''],
    }));

  test.each([
    [9, ['40 0\n', '9\n']],
    [13, ['40 0\n', '13\n']],
    [0, ['', '0\n']],
  ])('reports single pages of free memory (usual order: %d) for a while', (order, orders) => {
    expect(tidy({ owners: ['root'], cachedMiB: 64, order }).orders).toEqual(orders);
    expect(tidy({ owners: ['root'], cachedMiB: 63, order }).orders[1]).toBe(`${order}\n`);
  });

  test('keeps what the next login needs, where there is little else', () =>
    expect(tidy({ owners: ['root'], cachedMiB: 63 })).toMatchObject({
      status: 0,
      dropped: '',
      ran: ['grep', 'sync', 'df'],
    }));

  // Behaviour 244: A build directory that `debug` keeps is opened again without another build, and `status` counts
  // it. It is deleted by `gc`, or once nobody has opened it for 7 days.
  test('deletes directories of failed builds that are older than 7 days', () => {
    const day = 86_400;
    for (const [name, days] of [
      ['old', 7.01],
      ['new', 6.99],
    ] as const) {
      mkdirSync(join(root, keptBuilds, name, 'build'), { recursive: true });
      const at = Date.now() / 1000 - days * day;
      utimesSync(join(root, keptBuilds, name), at, at);
    }
    const ran = tidy({ owners: ['root'], cachedMiB: 0 }, ['find', 'rm']).ran;
    expect(readdirSync(join(root, keptBuilds))).toEqual(['new']);
    expect(ran).toEqual(['grep', 'sync', 'df']);
  });

  test('is nothing while a build runs', () =>
    expect(tidy({ owners: ['root', 'nixbld3'], cachedMiB: 900 })).toEqual({
      status: 75,
      stdout: '',
      dropped: '',
      ran: ['grep'],
      orders: ['', ''],
    }));
});

// Behaviour 132: A garbage collection can be stopped at any time; the request to stop is repeated until it has
// stopped. If the collection cannot make sure that the newest paths, which builds might still need, are kept, it
// deletes nothing.
describe('a collection', () => {
  // A store of two paths, and programs that wait or fail where they are told to.
  const bin = join(root, 'bin');
  const roots = join(root, 'nix/var/nix/gcroots');
  const says = join(root, 'says');
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  beforeEach(() => {
    for (const path of [bin, roots, join(root, 'nix/store/one'), join(root, 'nix/store/two')])
      mkdirSync(path, { recursive: true });
    mkdirSync(join(root, 'run'));
    for (const name of ['sync', 'fstrim']) program(name, `echo ${name} >>${says}`);
    program('renice', '');
    program('df', "echo '/dev/vda 100 10 90 10% /nix'");
    program('nix-store', `{ echo "$@"; ls ${roots}/*/; } >>${says} 2>/dev/null`);
  });
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const argvOf = (minutes: string, bytes: string) =>
    ['-c', collectScript(root), 'collect', minutes, bytes] as const;
  const collect = (minutes: string, bytes = '') => {
    const done = spawnSync('/bin/sh', argvOf(minutes, bytes), { env, encoding: 'utf8' });
    const said = existsSync(says) ? readFileSync(says, 'utf8').trim().split('\n') : [];
    return { status: done.status, stdout: done.stdout, said };
  };
  const leftOver = () => [...readdirSync(roots), ...readdirSync(join(root, 'run'))];
  const room = '/dev/vda 100 10 90 10% /nix\n';

  test('keeps what came last by roots of its own, and leaves nothing', () => {
    mkdirSync(join(roots, 'linuxkit-builder-recent'));
    mkdirSync(join(roots, 'linuxkit-builder-recent.1'));
    const said = ['--gc --max-freed 5', 'one', 'two'];
    expect(collect('60', '5')).toEqual({ status: 0, stdout: room, said });
    expect(leftOver()).toEqual([]);
  });

  test('keeps nothing where all is to go, and says how Nix ended', () => {
    program('nix-store', `echo "$@" >>${says}; exit 3`);
    expect(collect('0')).toEqual({ status: 3, stdout: room, said: ['--gc'] });
    expect(leftOver()).toEqual([]);
  });

  // Behaviour 244: A build directory that `debug` keeps is opened again without another build, and `status` counts
  // it. It is deleted by `gc`, or once nobody has opened it for 7 days.
  test('deletes the directories of failed builds where all is to go, and no build runs', () => {
    const builds = join(root, 'nix/var/nix/builds/nix-1-2/build');
    const make = () => {
      for (const path of [join(root, keptBuilds, 'a.drv/build'), builds])
        mkdirSync(path, { recursive: true });
      return () => [existsSync(join(root, keptBuilds, 'a.drv')), existsSync(builds)];
    };
    const areThere = make();
    program('nix-store', '');
    program('stat', 'echo root; echo nixbld1');
    mkdirSync(join(root, 'proc/1'), { recursive: true });
    expect([collect('0').status, areThere()]).toEqual([0, [true, true]]);
    program('stat', 'echo root');
    expect([collect('60', '5').status, areThere()]).toEqual([0, [true, true]]);
    expect([collect('0').status, areThere()]).toEqual([0, [false, false]]);
  });

  test.each(['find', 'mkdir', 'ln'])('deletes nothing where %s cannot do its part', (name) => {
    program(name, 'exit 1');
    expect(collect('60', '5')).toEqual({ status: 74, stdout: room, said: [] });
    expect(leftOver()).toEqual([]);
  });

  // To know a collector from another process of its number takes Linux's /proc.
  describe('that is told to end', needs({ path: '/proc/self/cmdline' }), () => {
    const stop = () => spawnSync('/bin/sh', ['-c', stopScript(root)], { env }).status;
    const begin = async (name: string) => {
      // Whoever is killed by a test that was killed ends soon.
      const told = `trap 'kill $!; echo told >>${says}; exit 1' TERM`;
      program(name, `${told}; sleep 20 & echo $$ >&3; wait $!`);
      const child = spawn('/bin/sh', argvOf('60', '5'), {
        env,
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      });
      const ended = once(child, 'exit');
      const [pid] = (await once(child.stdio[3] as Readable, 'data')) as [Buffer];
      return { pid: Number(String(pid)), ended, shell: child.pid };
    };
    const isAlive = (pid: number) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };

    test.each(['find', 'nix-store', 'rm'])('ends while it runs %s', async (name) => {
      if (name === 'rm') mkdirSync(join(roots, 'linuxkit-builder-recent'));
      const { pid, ended } = await begin(name);
      if (name === 'rm') rmSync(join(bin, 'rm'));
      expect(stop()).toBe(0);
      expect((await ended)[0]).toBe(143);
      expect([isAlive(pid), stop(), readFileSync(says, 'utf8')]).toEqual([false, 1, 'told\n']);
      expect(leftOver()).toEqual(name === 'rm' ? ['linuxkit-builder-recent'] : []);
    });

    test('ends although what it runs was only just forked', { timeout: 120_000 }, async () => {
      program('nix-store', 'exec sleep 20');
      for (let round = 0; round < 200; round++) {
        const begun = performance.now();
        const tookMs = () => performance.now() - begun;
        const child = spawn('/bin/sh', argvOf('0', '5'), { env, stdio: 'ignore' });
        const ended = once(child, 'exit');
        const file = join(root, `run/linuxkit-builder.collector.${child.pid}`);
        // A timer would be too coarse for what comes then.
        while (!existsSync(file) && tookMs() < 20_000);
        const momentMs = tookMs() + (8 * round) / 200;
        while (tookMs() < momentMs);
        child.kill('SIGTERM');
        expect((await ended)[0]).toBe(143);
        // What was not told has slept to its end.
        expect(tookMs(), `told after ${momentMs} ms`).toBeLessThan(20_000);
        expect(leftOver()).toEqual([]);
      }
    });

    test('has its own roots, which another takes nothing of', async () => {
      const { ended, shell } = await begin('nix-store');
      program('nix-store', `ls ${roots} >>${says}`);
      const { status, said } = collect('60');
      const first = `linuxkit-builder-recent.${shell}`;
      expect([status, said.length]).toEqual([0, 2]);
      expect([said.includes(first), leftOver()]).toEqual([
        true,
        [first, `linuxkit-builder.collector.${shell}`],
      ]);
      expect(stop()).toBe(0);
      expect((await ended)[0]).toBe(143);
      expect(leftOver()).toEqual([]);
    });

    test('is not taken for another process that has its number now', () => {
      writeFileSync(join(root, `run/linuxkit-builder.collector.${process.ppid}`), '');
      expect(stop()).toBe(1);
    });
  });
});

describe('what the agent is asked for', () => {
  const { signal } = new AbortController();
  const agent = (code: number, stdout = '/dev/vda 100 10 90 10% /nix\n') => ({
    exec: () => Promise.resolve({ code, stdout, stderr: '' }),
  });
  const room = { diskBytes: 102_400, diskFreeBytes: 92_160 };

  test('tells the room, that a build runs, or nothing', async () => {
    expect(await tidyGuest(agent(0), signal)).toEqual(room);
    expect(await tidyGuest(agent(75, ''), signal)).toBe('in-use');
    expect(await tidyGuest(agent(127, ''), signal)).toBeUndefined();
  });

  test('tells whether a collection came to its end', async () => {
    const all = { keepMinutes: 0 };
    expect(await collectGarbage(agent(0), all, signal)).toEqual({ ...room, isDone: true });
    expect(await collectGarbage(agent(143), all, signal)).toEqual({ ...room, isDone: false });
    expect(await collectGarbage(agent(0, 'odd'), all, signal)).toBeUndefined();
  });

  test('tells what hindered a collection, and says nothing was told where nothing was', async () => {
    const all = { keepMinutes: 60 };
    await expect(collectGarbage(agent(74), all, signal)).rejects.toMatchObject({
      failure: { kind: 'collection-not-begun' },
    });
    expect(await stopCollecting(agent(0), signal)).toBe('told');
    expect(await stopCollecting(agent(1), signal)).toBe('none');
    await expect(stopCollecting(agent(127), signal)).rejects.toMatchObject({
      failure: { kind: 'collection-not-told' },
    });
  });

  test('tells whether the disk takes blocks back', async () =>
    expect([await trimGuest(agent(0), signal), await trimGuest(agent(1), signal)]).toEqual([
      true,
      false,
    ]));
});
