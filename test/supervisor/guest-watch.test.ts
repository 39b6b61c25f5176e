import { appendFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { vmFailure } from '../../src/supervisor/children/vm-child.ts';
import { StartFacts } from '../../src/supervisor/start/start-facts.ts';
import { GuestWatch } from '../../src/supervisor/health/guest-watch.ts';
import { MemoryWatch } from '../../src/supervisor/health/memory-watch.ts';
import type { Event } from '../../src/supervisor/lifecycle/state.ts';
import { silent } from '../../src/system/log.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

/** What is seen of one guest, and what was told of it; to be ended, and its directory removed. */
function rig(more: object = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'guest-watch-'));
  const layout = layoutOf(dir);
  mkdirSync(layout.state);
  const over = new AbortController();
  const clock = new FakeClock();
  const told: Event[] = [];
  const facts = new StartFacts({ clock, log: silent, onChange: () => undefined });
  const running = { tried: { driver: vmDrivers.qemu }, ...more };
  const guest = new GuestWatch({
    layout,
    clock,
    log: silent,
    signal: over.signal,
    facts,
    running,
    row: vmPrograms.qemu,
    tell: (event) => told.push(event),
  });
  return { dir, layout, running, guest, told, over };
}

// A guest that panics reboots at once, which ends its VM process: nobody is left who could be asked.
test('a guest that was ready has panicked where that was its last word, and its VM has ended', async () => {
  const { dir, layout, running, guest, told, over } = rig();
  guest.openConsole();
  guest.boot.resumed();
  appendFileSync(layout.consoleRing, '[   69.454124] Kernel panic - not syncing: x\r\n');
  const output = { last: () => [], poke: () => undefined, close: () => Promise.resolve() };
  const memory = new MemoryWatch(() => undefined);
  vmFailure(layout, { running, guest }, { output, memory }, { kind: 'exited', code: 0 });
  expect(told).toMatchObject([{ type: 'lost', failure: { kind: 'guest-panicked' } }]);
  over.abort(new Error('over'));
  await guest.closeConsole(() => true);
  removeTree(dir);
});

test('a guest that is put into a file is asked nothing meanwhile', async () => {
  let asked = 0;
  const names = { tell: () => Promise.resolve(asked++) };
  const machine = { tunnel: { kind: 'tcp', host: '127.0.0.1', port: 1 } };
  const { dir, guest, over } = rig({ guest: { names }, vm: { machine } });
  guest.openConsole();
  guest.keepMonitoring({ bytesFromGuest: () => 0, traffic: undefined });
  const tick = () => guest.tick({} as Config);
  tick();
  expect(asked).toBe(1);
  guest.vmPause.expect(true);
  tick();
  expect(asked).toBe(1);
  guest.vmPause.expect(false);
  tick();
  expect(asked).toBe(2);
  over.abort(new Error('over'));
  await guest.closeConsole(() => true);
  removeTree(dir);
});

test('what its kernel has complained of is known at once, and that a service began anew is none of that', async () => {
  const { dir, layout, guest, over } = rig();
  guest.openConsole();
  guest.boot.resumed();
  appendFileSync(layout.consoleRing, 'linuxkit-builder: t=9.00 note=restarted-nix-daemon\r\n');
  expect(guest.complaint).toBeUndefined();
  appendFileSync(layout.consoleRing, '[   69.454124] watchdog: BUG: soft lockup - CPU#0 stuck\r\n');
  expect(guest.complaint).toContain('soft lockup');
  over.abort(new Error('over'));
  await guest.closeConsole(() => true);
  removeTree(dir);
});
