import { expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { MemoryWatch } from '../../src/supervisor/health/memory-watch.ts';
import { stop } from '../../src/supervisor/stop/stop.ts';
import type { Child, ExitStatus } from '../../src/system/process/child.ts';
import type { VmControl } from '../../src/vm/vm-driver.ts';
import { qemu } from '../../src/vm/qemu/qemu-control.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

/** A VM that hears its button and does nothing by itself. */
function slowVm(clock: FakeClock) {
  let settle: (ended: ExitStatus) => void = () => undefined;
  const ended = new Promise<ExitStatus>((resolve) => (settle = resolve));
  const seen = { presses: 0, killed: false, events: [] as string[] };
  const die = (): Promise<ExitStatus> => {
    seen.killed = true;
    settle({ kind: 'signalled', signal: 'SIGTERM' });
    return ended;
  };
  const child: Child = { pid: 1, ended, signal: () => undefined, stop: die };
  const machine = { powerOff: () => (seen.presses++, Promise.resolve()), close: () => undefined };
  const output = { last: () => [], poke: () => undefined, close: () => Promise.resolve() };
  const keep = () => undefined;
  const stopped = stop(
    {
      tried: { driver: qemu },
      vm: {
        child,
        output,
        memory: new MemoryWatch(),
        keep,
        machine: machine as unknown as VmControl,
      },
    },
    {
      clock,
      layout: layoutOf('/nowhere'),
      frozen: false,
      dead: false,
      isOurs: () => false,
      log: (_level, event) => void seen.events.push(event),
      agent: () => undefined,
      listens: () => false,
      closeConsole: () => Promise.resolve(),
      now: new AbortController().signal,
    },
  );
  return { seen, stopped, powerOff: () => settle({ kind: 'exited', code: 0 }) };
}

test('a guest that does not end is made to after 16 s', async () => {
  const clock = new FakeClock();
  const { seen, stopped } = slowVm(clock);
  await clock.advance(15_900);
  expect(seen.killed).toBe(false);
  await clock.advance(2_100);
  await stopped;
  expect(seen).toMatchObject({ killed: true, events: ['vm-does-not-end'] });
});

test('a sleep in the midst of it takes nothing of that time', async () => {
  const clock = new FakeClock();
  const { seen, stopped, powerOff } = slowVm(clock);
  await clock.advance(1_000);
  await clock.jump(3600_000);
  await clock.advance(10_000);
  expect(seen.killed).toBe(false);
  expect(seen.presses).toBeGreaterThan(4);
  powerOff();
  await clock.advance(0);
  await stopped;
  expect(seen).toMatchObject({ killed: false, events: ['vm-ended'] });
  expect(clock.pending).toBe(0);
});
