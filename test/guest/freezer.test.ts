import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { agentAway, agentRefused, agentSilent } from '../../src/guest/agent/agent-failures.ts';
import {
  freezeGuest,
  releaseGuest,
  settleGuest,
  wakeGuest,
} from '../../src/guest/agent/freezer.ts';
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

/**
 * A guest that is a directory: its programs say what they were asked to do, and whoever sleeps in it sleeps until he is woken. `ran`: what
 * it was told to run, each until nothing of that is left.
 */
function scripted() {
  const dir = mkdtempSync(join(tmpdir(), 'freezer-'));
  const at = (name: string) => join(dir, name);
  const program = (name: string, does = '') => {
    writeFileSync(at(name), `#!/bin/sh\necho "${name} $*" >>'${at('said')}'\n${does}\n`);
    chmodSync(at(name), 0o755);
  };
  program('fsfreeze');
  program('sleep', 'read -r _ <"$NIGHT"');
  const ran: { readonly wake: () => void; readonly over: Promise<unknown>; readonly fd: number }[] =
    [];
  const exec = async (_: string, [, script = '']: readonly string[]) => {
    const night = at(`night.${ran.length}`);
    spawnSync('mkfifo', [night]);
    // Open for reading too, so that a word to somebody who does not sleep yet is kept for him.
    const fd = openSync(night, 'r+');
    const env = { PATH: `${dir}:${process.env['PATH'] ?? ''}`, NIGHT: night };
    const here = script
      .replaceAll('/run/linuxkit-builder.thaw', at('timer'))
      .replaceAll('/proc/sys/vm/drop_caches', at('drop_caches'));
    const child = spawn('/bin/sh', ['-c', here], {
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    // Whatever it leaves behind has the last one.
    const [, out, err, left] = child.stdio as unknown as readonly [
      null,
      Readable,
      Readable,
      Readable,
    ];
    const over = text(left);
    ran.push({ wake: () => void writeSync(fd, '\n'), over, fd });
    // As the agent: until nobody holds its channels any more.
    const [[code], stdout, stderr] = await Promise.all([
      once(child, 'exit') as Promise<[number | null]>,
      text(out),
      text(err),
    ]);
    return { code: code ?? 1, stdout, stderr };
  };
  onTestFinished(async () => {
    for (const { wake } of ran) wake();
    await Promise.all(ran.map(({ over }) => over));
    for (const { fd } of ran) closeSync(fd);
    removeTree(dir);
  });
  const said = () => readFileSync(at('said'), 'utf8').trim().split('\n');
  return { at, program, ran, said, agent: { setTime: () => Promise.resolve(), exec } };
}
const wake = (guest: ReturnType<typeof scripted>) =>
  wakeGuest(guest.agent, new FakeClock(), signal);

test('a guest that nobody thaws does so by itself after a minute, and not again when it is asked', async () => {
  const guest = scripted();
  await freezeGuest(guest.agent);
  expect(existsSync(guest.at('timer'))).toBe(true);
  guest.ran[0]?.wake();
  await guest.ran[0]?.over;
  const all = ['fsfreeze --freeze /nix', 'fsfreeze --unfreeze /nix', 'sleep 60'];
  expect(guest.said().sort()).toEqual(all);
  expect(existsSync(guest.at('timer'))).toBe(false);
  await wake(guest);
  expect(guest.said()).toHaveLength(all.length);
});

test('the timer of one freeze does not end the next', async () => {
  const guest = scripted();
  const thaws = () => guest.said().filter((line) => line === 'fsfreeze --unfreeze /nix').length;
  await freezeGuest(guest.agent);
  await wake(guest);
  expect(thaws()).toBe(1);
  await freezeGuest(guest.agent);
  const [first, , second] = guest.ran;
  first?.wake();
  await first?.over;
  expect([thaws(), existsSync(guest.at('timer'))]).toEqual([1, true]);
  second?.wake();
  await second?.over;
  expect([thaws(), existsSync(guest.at('timer'))]).toEqual([2, false]);
});

test('a guest writes what it holds back, gives back what is free, then drops its caches', async () => {
  const guest = scripted();
  // Caches that were dropped before would hold it still.
  for (const name of ['sync', 'fstrim'])
    guest.program(name, `rm -f '${guest.at('drop_caches')}'; exit 1`);
  await settleGuest(guest.agent, signal);
  expect(guest.said()).toEqual(['sync ', 'fstrim /nix']);
  expect(readFileSync(guest.at('drop_caches'), 'utf8')).toBe('3\n');
});

test('a thaw that is asked for twice thaws once, and one that fails leaves the timer', async () => {
  const guest = scripted();
  const timer = guest.at('timer');
  writeFileSync(timer, '999999999\n');
  guest.program('fsfreeze', 'exit 1');
  await expect(wake(guest)).rejects.toThrow();
  expect(existsSync(timer)).toBe(true);
  guest.program('fsfreeze');
  await wake(guest);
  expect(existsSync(timer)).toBe(false);
  // A disk that is not frozen is not thawed: the tool says no.
  guest.program('fsfreeze', 'exit 1');
  await wake(guest);
});
