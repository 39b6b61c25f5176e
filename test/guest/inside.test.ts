import { describe, expect, test } from 'vitest';
import { Insight, lookInside, readInside } from '../../src/guest/agent/inside.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

const df = [
  'Filesystem           1024-blocks    Used Available Capacity Mounted on',
  '/dev/vda               4046560    123456   3717568   4% /nix',
];
const keeps = { givesBack: { memory: false, disk: false } };
const kept = { directories: 0, bytes: 0 };
const disk = { diskBytes: 4046560 * 1024, diskFreeBytes: 3717568 * 1024, ...keeps, kept };

describe('what the guest says of itself', () => {
  test.each([
    ['no build', ['root', 'root', 'sshd', 'builder'], 0],
    ['a build of many processes', ['root', 'nixbld1', 'nixbld1', 'nixbld1'], 1],
    ['three builds', ['nixbld1', 'nixbld12', 'root', 'nixbld3', 'nixbld12'], 3],
    ['a user with a similar name', ['nixbld', 'nixblder1', 'xnixbld1'], 0],
  ])('%s', (_, users, builds) =>
    expect(readInside([...users, ...df].join('\n'))).toEqual({ builds, ...disk }),
  );

  // Behaviour 128: The daemon asks the guest's kernel whether freed memory and disk space return to the host. If
  // memory does not return, `status` and `doctor` say what will free it.
  test.each([
    ['both', ['balloon 0100010000000000', 'discard 2147483136'], { memory: true, disk: true }],
    ['a balloon that does not report', ['balloon 0100000000000000'], keeps.givesBack],
    ['a disk that takes no blocks', ['discard 0'], keeps.givesBack],
    ['a driver without a device, and a disk without a queue', [], keeps.givesBack],
  ])('what goes back: %s', (_, lines, givesBack) =>
    expect(readInside(['root', ...lines, ...df].join('\n'))).toMatchObject({ givesBack }),
  );

  // Behaviour 244: A build directory that `debug` keeps is opened again without another build, and `status` counts
  // it. It is deleted by `gc`, or once nobody has opened it for 7 days.
  test('directories of failed builds, of which the size is known', () =>
    expect(readInside(['kept 4', 'kept 1024', 'kept ', 'kept x', ...df].join('\n'))?.kept).toEqual({
      directories: 2,
      bytes: 1028 * 1024,
    }));

  test.each([
    '',
    'nixbld1',
    'root\ndf: /nix: not found',
    `${df[0] ?? ''}\n/dev/vda x y z 4% /nix`,
    // Beyond what a number holds, which JSON would not say.
    `/dev/vda ${'9'.repeat(400)} 1 ${'9'.repeat(400)} 4% /nix`,
  ])('nothing is made of %j', (text) => expect(readInside(text)).toBeUndefined());
});

describe('a look', () => {
  const { signal } = new AbortController();
  const stdout = ['root', ...df].join('\n');
  const exec = () => Promise.resolve({ code: 0, stdout, stderr: '' });

  test('tells how far the clock is off as well', async () => {
    const clock = new FakeClock();
    const time = () => Promise.resolve(clock.now() - 40);
    const seen = await lookInside({ exec, time }, clock, signal);
    expect(seen).toEqual({ builds: 0, ...disk, clockOffsetMs: -40 });
  });

  test('stands while nobody is in the guest, and for half a minute', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const time = () => Promise.resolve(clock.now() - ++asked);
    const insight = new Insight({ exec, time }, clock);
    const offset = async (traffic: number | undefined) =>
      (await insight.look(traffic, signal))?.clockOffsetMs;
    expect(await offset(7)).toBe(-1);
    expect(await offset(7)).toBe(-1);
    // Somebody has been there, somebody is, and nobody is again.
    expect(await offset(8)).toBe(-2);
    expect(await offset(undefined)).toBe(-3);
    expect(await offset(undefined)).toBe(-4);
    expect(await offset(8)).toBe(-5);
    await clock.advance(29_999);
    expect(await offset(8)).toBe(-5);
    await clock.advance(1);
    expect(await offset(8)).toBe(-6);
    insight.forget();
    expect(await offset(8)).toBe(-7);
  });

  test('that got no answer does not stand', async () => {
    const clock = new FakeClock();
    let stdoutNow = 'busy';
    const late = () => Promise.resolve({ code: 0, stdout: stdoutNow, stderr: '' });
    const insight = new Insight({ exec: late, time: () => Promise.resolve(clock.now()) }, clock);
    expect(await insight.look(1, signal)).toBeUndefined();
    stdoutNow = stdout;
    expect(await insight.look(1, signal)).toMatchObject({ builds: 0 });
  });

  test('into a guest that does not answer is over in 3 s, and tells nothing', async () => {
    const clock = new FakeClock();
    const mute = () => new Promise<never>(() => undefined);
    const seen = lookInside({ exec: mute, time: mute }, clock, signal);
    await clock.advance(3_000);
    expect(await seen).toBeUndefined();
    expect(clock.due).toEqual([]);
  });
});
