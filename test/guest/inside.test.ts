import { describe, expect, test } from 'vitest';
import { lookInside, readInside } from '../../src/guest/inside.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

const df = [
  'Filesystem           1024-blocks    Used Available Capacity Mounted on',
  '/dev/vda               4046560    123456   3717568   4% /nix',
];
const disk = { diskBytes: 4046560 * 1024, diskFreeBytes: 3717568 * 1024 };

describe('what the guest says of itself', () => {
  test.each([
    ['no build', ['root', 'root', 'sshd', 'builder'], 0],
    ['a build of many processes', ['root', 'nixbld1', 'nixbld1', 'nixbld1'], 1],
    ['three builds', ['nixbld1', 'nixbld12', 'root', 'nixbld3', 'nixbld12'], 3],
    ['a user with a similar name', ['nixbld', 'nixblder1', 'xnixbld1'], 0],
  ])('%s', (_, users, builds) =>
    expect(readInside([...users, ...df].join('\n'))).toEqual({ builds, ...disk }),
  );

  test.each(['', 'nixbld1', 'root\ndf: /nix: not found', `${df[0] ?? ''}\n/dev/vda x y z 4% /nix`])(
    'nothing is made of %j',
    (text) => expect(readInside(text)).toBeUndefined(),
  );
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

  test('into a guest that does not answer is over in 3 s, and tells nothing', async () => {
    const clock = new FakeClock();
    const mute = () => new Promise<never>(() => undefined);
    const seen = lookInside({ exec: mute, time: mute }, clock, signal);
    await clock.advance(3_000);
    expect(await seen).toBeUndefined();
    expect(clock.due).toEqual([]);
  });
});
