import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { vmFailure } from '../../src/supervisor/start/children.ts';
import { StartFacts } from '../../src/supervisor/start/start-facts.ts';
import { GuestWatch } from '../../src/supervisor/health/guest-watch.ts';
import { MemoryWatch } from '../../src/supervisor/health/memory-watch.ts';
import type { Event } from '../../src/supervisor/lifecycle/state.ts';
import { silent } from '../../src/system/log.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

// A guest that panics reboots at once, which ends its VM process: nobody is left who could be asked.
test('a guest that was ready has panicked where that was its last word, and its VM has ended', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'guest-watch-'));
  const layout = layoutOf(dir);
  mkdirSync(layout.state);
  const over = new AbortController();
  const clock = new FakeClock();
  const told: Event[] = [];
  const facts = new StartFacts({ clock, log: silent, onChange: () => undefined });
  const running = { tried: { driver: vmDrivers.qemu } };
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
  guest.openConsole();
  guest.boot.resumed();
  appendFileSync(layout.consoleRing, '[   69.454124] Kernel panic - not syncing: x\r\n');
  const output = { last: () => [], poke: () => undefined, close: () => Promise.resolve() };
  const memory = new MemoryWatch(() => undefined);
  vmFailure(layout, { running, guest }, { output, memory }, { kind: 'exited', code: 0 });
  expect(told).toMatchObject([{ type: 'lost', failure: { kind: 'guest-panicked' } }]);
  over.abort(new Error('over'));
  await guest.closeConsole(() => true);
  rmSync(dir, { recursive: true });
});
