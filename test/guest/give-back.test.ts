import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  collectGarbage,
  stopCollecting,
  tidyGuest,
  tidyScript,
  trimGuest,
} from '../../src/guest/give-back.ts';

const root = mkdtempSync(join(tmpdir(), 'lk-give-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs the script in a guest of a few files, whose programs say what they were asked; the names of those that ran. */
function tidy(guest: { readonly owners: readonly string[]; readonly cachedMiB: number }) {
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
  const drop = join(root, 'proc/sys/vm/drop_caches');
  writeFileSync(drop, '');
  const kib = guest.cachedMiB * 1024 + 5;
  writeFileSync(
    join(root, 'proc/meminfo'),
    `MemTotal: 2048000 kB\nCached: ${kib} kB\nMapped: 4 kB\nShmem: 2 kB\nSReclaimable: 1 kB\n`,
  );
  const { status, stdout } = spawnSync('/bin/sh', ['-c', tidyScript(root)], {
    ...{ env: { PATH: bin }, encoding: 'utf8' },
  });
  const ran = readFileSync(says, 'utf8').trim().split('\n');
  return { status, stdout, ran, dropped: readFileSync(drop, 'utf8') };
}

// Behaviour 139: When nobody has used the guest for half a minute it gives back the memory that caches hold and the blocks that are
// free, and lets old store paths go while its disk is not full yet; never while a build runs.
describe('what a guest does when nobody uses it', () => {
  test('writes out, drops what its caches hold, gives blocks back, and says what room there is', () =>
    expect(tidy({ owners: ['root', 'sshd'], cachedMiB: 64 })).toEqual({
      ...{ status: 0, stdout: '/dev/vda 100 10 90 10% /nix\n', dropped: '3\n' },
      ran: ['stat', 'grep', 'sync', 'cat', 'nix-daemon', 'fstrim', 'df'],
    }));

  test('keeps what the next login needs, where there is little else', () =>
    expect(tidy({ owners: ['root'], cachedMiB: 63 })).toMatchObject({
      ...{ status: 0, dropped: '' },
      ran: ['stat', 'grep', 'sync', 'fstrim', 'df'],
    }));

  test('is nothing while a build runs', () =>
    expect(tidy({ owners: ['root', 'nixbld3'], cachedMiB: 900 })).toEqual({
      ...{ status: 75, stdout: '', dropped: '', ran: ['stat', 'grep'] },
    }));
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
    await stopCollecting(agent(1), signal);
  });

  test('tells whether the disk takes blocks back', async () =>
    expect([await trimGuest(agent(0), signal), await trimGuest(agent(1), signal)]).toEqual([
      true,
      false,
    ]));
});
