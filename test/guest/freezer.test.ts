import { chmodSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { agentAway, agentRefused, agentSilent } from '../../src/guest/agent/agent-failures.ts';
import { releaseGuest, wakeGuest } from '../../src/guest/agent/freezer.ts';
import { Failed } from '../../src/system/failure.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

const failures = [agentSilent('x', 1), agentAway('x'), agentRefused({})];
const fails = (kind: string) => {
  const failure = failures.find((each) => each.kind === kind);
  if (failure === undefined) throw new Error(`no failure of the agent: ${kind}`);
  return Promise.reject(new Failed(failure));
};
const done = { code: 0, stdout: '', stderr: '' };
const { signal } = new AbortController();

test('a guest that is slow to answer after it was woken is asked again, until nobody waits any more', async () => {
  const clock = new FakeClock();
  const asked = { time: 0, thaw: 0 };
  const agent = {
    setTime: () => (++asked.time < 3 ? fails('agent-silent') : Promise.resolve()),
    exec: () => (++asked.thaw < 4 ? fails('agent-away') : Promise.resolve(done)),
  };
  const awake = wakeGuest(agent, clock, signal);
  await clock.advance(1_000);
  await awake;
  expect(asked).toEqual({ time: 3, thaw: 4 });
  const over = new AbortController();
  const never = { ...agent, setTime: () => fails('agent-silent') };
  const waits = expect(wakeGuest(never, clock, over.signal)).rejects.toThrow('enough');
  await clock.advance(1_000);
  over.abort(new Error('enough'));
  await waits;
});

test('a guest that refuses is not asked again', async () => {
  const agent = { setTime: () => fails('agent-refused'), exec: () => Promise.resolve(done) };
  const failure = { kind: 'agent-refused' };
  await expect(wakeGuest(agent, new FakeClock(), signal)).rejects.toMatchObject({ failure });
});

test.each([
  ['refuses a clock', 'agent-refused', ['time', 'thaw']],
  ['is slow to answer', 'agent-silent', ['time', 'time', 'thaw']],
])(
  'a guest that was not saved after all and %s goes on all the same',
  async (_, kind, expected) => {
    const clock = new FakeClock();
    const asked: string[] = [];
    const agent = {
      setTime: () => (asked.push('time') === 1 ? fails(kind) : Promise.resolve()),
      exec: () => Promise.resolve((asked.push('thaw'), done)),
    };
    const released = releaseGuest(agent, clock);
    await clock.advance(1_000);
    await released;
    expect(asked).toEqual(expected);
  },
);

test('a guest that was not saved after all and hears nothing is not waited for', async () => {
  const clock = new FakeClock();
  const mute = () => fails('agent-silent');
  const released = releaseGuest({ setTime: mute, exec: mute }, clock);
  await clock.advance(10_000);
  await released;
});

test('a thaw that is asked for twice thaws once, and one that fails leaves the timer', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'thaw-'));
  const timer = join(dir, 'timer');
  const tool = join(dir, 'fsfreeze');
  const agent = {
    setTime: () => Promise.resolve(),
    exec: (_: string, [, script = '']: readonly string[]) => {
      const here = script.replaceAll('/run/linuxkit-builder.thaw', timer);
      const env = { PATH: `${dir}:${process.env['PATH'] ?? ''}` };
      const { status, stderr } = spawnSync('/bin/sh', ['-c', here], { env, encoding: 'utf8' });
      return Promise.resolve({ code: status ?? 1, stdout: '', stderr });
    },
  };
  const can = (code: number) => {
    writeFileSync(tool, `#!/bin/sh\nexit ${code}\n`);
    chmodSync(tool, 0o755);
  };
  try {
    writeFileSync(timer, '999999999\n');
    can(1);
    await expect(wakeGuest(agent, new FakeClock(), signal)).rejects.toThrow();
    expect(existsSync(timer)).toBe(true);
    can(0);
    await wakeGuest(agent, new FakeClock(), signal);
    expect(existsSync(timer)).toBe(false);
    // A disk that is not frozen is not thawed: the tool says no.
    can(1);
    await wakeGuest(agent, new FakeClock(), signal);
  } finally {
    removeTree(dir);
  }
});
