import { describe, expect, test } from 'vitest';
import { aliveLines, goneLines, type Screen } from '../../src/cli/status/status-screen.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { nobody } from '../fakes/commands.ts';

const now = Date.parse('2026-01-01T00:01:00Z');
const screen: Screen = { now, width: 80, live: {} };
const status: Status = {
  version: 1,
  phase: 'ready',
  since: '2026-01-01T00:00:00.000Z',
  sentence: 'Ready to build.',
  daemon: { pid: 7, started: '1', boot: 'b', program: 'node' },
  door: { port: 24083, draining: false },
  vmPid: 8,
  accelerator: 'kvm',
  clockOffsetMs: 3,
  builder: {
    vm: 'qemu',
    network: 'user',
    cpus: 4,
    memoryMiB: 4096,
    diskGiB: 80,
    maxJobs: 4,
    system: 'x86_64-linux',
    features: ['benchmark', 'big-parallel', 'linuxkit-builder'],
    door: 'tcp',
    port: 24083,
    accelerator: 'auto',
    bundle: undefined,
    holdSeconds: 180,
    keepAwake: true,
    start: 'login',
    idle: { after: '10 min', how: 'never', onBattery: 'same', onLowMemory: 'same' },
  },
};
const failure = { kind: 'x', message: 'QEMU ended.', hint: 'Do this.', exit: 69 } as const;

describe('the screen of a builder that is ready', () => {
  test('leaves out a time that its daemon, of another release, does not say in our way', () => {
    const odd: Status = { ...status, since: 'lately' };
    expect(aliveLines(odd, screen)[0]).toBe('Ready to build. (ready)');
    expect(goneLines(odd, screen)[1]).toBe("  Its last known phase was 'ready'.");
  });

  test('says first that it is drained, and how that ends', () => {
    const door = { port: 24083, draining: false, refusing: true } as const;
    const drained = { ...status, door };
    const [first, second] = aliveLines(drained, { ...screen, directory: '/b' });
    expect(first).toContain('linuxkit-builder undrain -d /b');
    expect(second).toBe(aliveLines(status, screen)[0]);
    expect(aliveLines(status, screen).join()).not.toContain('undrain');
  });

  test('says what its kernel, and what its services came through', () => {
    const at = new Date(screen.now - 60_000).toISOString();
    const complaints = [
      { what: 'oops', text: 'Oops: int3', at },
      { what: 'restarted', text: 'its service sshd ended', at },
    ] as const;
    const lines = aliveLines({ ...status, complaints }, { ...screen, width: 200 });
    const said = lines.filter((line) => line.startsWith('  guest '));
    expect(said).toMatchObject(
      [/60 s ago.*Oops: int3$/, /60 s ago.*sshd/].map(
        (each) => expect.stringMatching(each) as string,
      ),
    );
  });

  test('says which systems Nix is told of, and which of them the guest does not run', () => {
    const builder = { ...status.builder, extraSystems: ['i686-linux'] } as Status['builder'];
    const lost = { ...status, ...(builder && { builder }), lostSystems: ['i686-linux'] };
    const lines = aliveLines(lost, { ...screen, width: 400 }).join('\n');
    expect(lines).toMatch(/builder +x86_64-linux, i686-linux, 4 CPUs/);
    expect(lines).toMatch(/systems +.*i686-linux/);
    expect(lines).toContain('linuxkit-builder configure --reset extra-systems');
  });

  test.each([
    [undefined, 'The guest agent does not answer in time.'],
    [
      { works: true } as const,
      'The guest agent does not answer in time, but a login reaches the Nix daemon in the guest, so builds work.',
    ],
    [
      { works: false, detail: 'no answer within 15 s', hint: 'Look there.' } as const,
      'The guest agent does not answer in time, and logging in the way Nix does fails: no answer within 15 s. Look there.',
    ],
  ])('says of a slow guest what a login found: %j', (login, words) => {
    const slow: Status = { ...status, health: 'slow', ...(login === undefined ? {} : { login }) };
    const lines = aliveLines(slow, { ...screen, width: 200 });
    expect(lines).toContain(`  slow       ${words}`);
    expect(aliveLines({ ...slow, health: 'well' }, screen).join()).not.toContain('slow');
  });

  // Behaviour 71: Only a limited number of connections that have not logged in reach the guest at a time. If there
  // are many, `status` names the user who has the most.
  test.each([
    [{ uid: 1002 }, '1002'],
    [{ uid: 1002, user: 'eve' }, 'eve'],
    [{}, 'unknown'],
  ])('says who crowds the door: %j', (whose, words) => {
    const crowd = { ...whose, waiting: 500, newcomers: 16 };
    const live = { connections: { ...nobody, open: 17, held: 500, crowd } };
    const lines = aliveLines(status, { ...screen, width: 300, live });
    const line = lines.find((each) => each.startsWith('  waiting '));
    for (const fact of ['516 connections', words, '500', '16']) expect(line).toContain(fact);
  });

  test.each([
    [3, ', 3 connections'],
    [1, ', 3 connections, 2 of them not logged in'],
  ])('says when not all that are through have logged in: %i of 3', (loggedIn, words) => {
    const live = { connections: { open: 3, opening: 0, held: 0, loggedIn } };
    const lines = aliveLines(status, { ...screen, live });
    expect(lines).toContain(`  door       127.0.0.1:24083${words}`);
  });

  test('gives the reason why guests are suspended no more a name, as nothing stands before it', () => {
    const told = { ...status, suspendGivenUp: { why: 'It broke.' } };
    const [line] = aliveLines(told, screen).filter(
      (each) => !aliveLines(status, screen).includes(each),
    );
    expect(line).toMatch(/^ {2}suspending \S/);
  });

  test('says who is at the port past the door', () => {
    const live = { past: { uid: 1002, user: 'eve', connections: 3 } };
    const lines = aliveLines(status, { ...screen, width: 300, live });
    expect(lines.join('\n')).toContain('  bypass     3 connections from eve');
  });

  // Behaviour 208: After an upgrade, builds keep working, or `status` names the one command that is needed. The disk
  // stays as it was.
  test('says that the daemon runs the program of before an upgrade, and what ends that', () => {
    const told = (release: string, job?: Screen['job']) =>
      aliveLines({ ...status, release }, { ...screen, width: 300, version: '0.2.0', job }).filter(
        (line) => line.startsWith('  version '),
      );
    expect(told('0.2.0')).toEqual([]);
    expect(told('0.1.0')[0]).toMatch(/0\.1\.0.*0\.2\.0.*: linuxkit-builder restart$/);
    const whose = { by: 'NixOS', restart: 'sudo systemctl restart linuxkit-builder' };
    const job = { name: 'systemd', starts: 'boot', loaded: true, running: true, whose } as const;
    expect(told('0.1.0', job)[0]).toMatch(/: sudo systemctl restart linuxkit-builder$/);
  });

  test('says each thing in a line', () => {
    const GiB = 1024 ** 3;
    const lines = aliveLines(status, {
      ...screen,
      live: {
        disk: { apparentBytes: 80 * GiB, realBytes: 2.5 * GiB },
        connections: { ...nobody, open: 3, loggedIn: 3, held: 1 },
        guest: {
          builds: 2,
          diskBytes: 78 * GiB,
          diskFreeBytes: 74.1 * GiB,
          clockOffsetMs: -5,
          kept: { directories: 2, bytes: 3 * GiB },
        },
        incident: {
          at: '2026-01-01T00:00:30.000Z',
          kind: 'guest-frozen',
          message: 'The guest is frozen.',
          folder: '/s/nix-state/incidents/i',
        },
      },
      job: { name: 'launchd', starts: 'login', loaded: true, running: true },
    });
    expect(lines).toEqual([
      'Ready to build. (ready for 60 s)',
      '  builder    x86_64-linux, 4 CPUs, 4096 MiB, 4 jobs',
      '  features   benchmark, big-parallel, linuxkit-builder',
      '  builds     2 running',
      '  kept       the directories of 2 failed builds, 3.0 GiB (to delete:',
      '             linuxkit-builder gc)',
      '  disk       2.5 GiB used of at most 80.0 GiB, 74.1 GiB free inside',
      '  door       127.0.0.1:24083, 3 connections, 1 waiting for the guest',
      '  vm         qemu pid 8, kvm',
      "  clock      -5 ms off this machine's",
      '  daemon     pid 7; launchd starts it at login',
      '  incident   30 s ago: The guest is frozen. (/s/nix-state/incidents/i)',
    ]);
  });

  // Behaviour 128: The daemon asks the guest's kernel whether freed memory and disk space return to the host. If
  // memory does not return, `status` and `doctor` say what will free it.
  test('says what a guest that runs takes, and where it gives nothing back, what ends that', () => {
    const GiB = 1024 ** 3;
    const guest = { builds: 0, diskBytes: 4 * GiB, diskFreeBytes: 3 * GiB, clockOffsetMs: 0 };
    const linesOf = (givesBack?: { readonly memory: boolean; readonly disk: boolean }) =>
      aliveLines(status, {
        ...screen,
        width: 300,
        live: {
          memory: { residentBytes: 1.5 * GiB },
          disk: { apparentBytes: 4 * GiB, realBytes: 2 * GiB },
          guest: givesBack === undefined ? guest : { ...guest, givesBack },
        },
      }).filter((line) => /^ {2}(memory|disk) /.test(line));
    const told = [
      '  memory     1.5 GiB used by the VM',
      '  disk       2.0 GiB used of at most 4.0 GiB, 3.0 GiB free inside',
    ] as const;
    expect(linesOf({ memory: true, disk: true })).toEqual(told);
    // A daemon of the release before does not tell.
    expect(linesOf()).toEqual(told);
    const [memory = '', disk = ''] = linesOf({ memory: false, disk: false });
    expect(memory.replace(told[0], '')).toContain('linuxkit-builder suspend');
    expect(disk.replace(told[1], '')).toContain('not returned');
  });

  test('says which settings wait for a restart', () => {
    const pending = [{ name: 'cpus', from: 4, to: 8 }];
    expect(aliveLines({ ...status, pending }, screen)).toContain(
      '  pending    cpus: 4 to 8 (to apply: linuxkit-builder restart)',
    );
  });

  test('fits a narrow terminal, and breaks no word', () => {
    for (const line of aliveLines(status, { ...screen, width: 40 }).slice(1))
      expect(line.length).toBeLessThanOrEqual(40);
  });
});

describe('the bar of a start', () => {
  const booting = { ...status, phase: 'booting', sentence: 'The guest is booting.' } as const;
  const bar = (doneMs: number, usualMs: number | undefined) =>
    aliveLines(booting, { ...screen, start: { begun: now - doneMs, usualMs } })[1];

  test.each([
    [0, '  [------------------------------] 0.0 s, usually 10.0 s'],
    [5000, '  [###############---------------] 5.0 s, usually 10.0 s'],
    [60_000, '  [#############################-] 60.0 s, usually 10.0 s'],
  ])('after %i ms', (ms, line) => expect(bar(ms, 10_000)).toBe(line));

  test('says how long it takes when there was none before', () =>
    expect(bar(1500, undefined)).toBe('  1.5 s so far'));

  test('is not there when the guest is ready', () =>
    expect(
      aliveLines(status, { ...screen, start: { begun: 0, usualMs: 1 } }).join('\n'),
    ).not.toContain('usually'));
});

describe('trouble', () => {
  test('is said with what helps, the last words, and what others have reported', () => {
    const because = { ...failure, lines: ['last words'] };
    const waiting = { ...status, phase: 'backing-off', because } as const;
    const lines = aliveLines(waiting, { ...screen, known: ['known: it is so. (a/b#1)'] });
    expect(lines).toContain('    | last words');
    expect(lines).toContain('  hint       Do this.');
    expect(lines).toContain('             known: it is so. (a/b#1)');
  });

  test('of a daemon that is gone', () => {
    const last = { ...status, phase: 'booting', because: failure } as const;
    const ended = { running: false, ended: 'with exit code 3' };
    const job = { name: 'launchd', starts: 'login', loaded: true, ...ended } as const;
    expect(goneLines(last, { ...screen, job })).toEqual([
      'The daemon is not running.',
      "  Its last known phase was 'booting', since 2026-01-01T00:00:00.000Z.",
      '  QEMU ended.',
      '  Do this.',
      '  launchd starts it at login.',
      '  Its last run under launchd ended with exit code 3.',
      '  Start it: linuxkit-builder start',
    ]);
    expect(goneLines(undefined, screen)).toHaveLength(2);
  });
});
