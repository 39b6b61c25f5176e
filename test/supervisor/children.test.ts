import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { readLine } from '../../src/guest/console/boot.ts';
import { openConsole } from '../../src/guest/console/console.ts';
import { vmFailure } from '../../src/supervisor/children/vm-child.ts';
import { MemoryWatch } from '../../src/supervisor/health/memory-watch.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RingFile } from '../rig/hyperkit/ring-file.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'children-'));
});
afterEach(() => removeTree(dir));

const boot = Array.from({ length: 3_000 }, (_, n) => `[ 0.${n}] the boot goes on`);
const panic = '[    9.000000] Kernel panic - not syncing: Fatal exception in interrupt';
const trace = Array.from({ length: 120 }, (_, n) => `[ 9.${n + 1}]  some_function+0x${n}/0x200`);

test.each([
  ['with a long call trace', [...boot.slice(0, 9), panic, ...trace]],
  ['whose last line has no end', [...boot.slice(0, 9), panic]],
])('a panic %s is no reboot', async (_, said) => {
  const { failure, milestones } = await endOf(said);
  expect(failure.kind).toBe('guest-panicked');
  expect(failure.message).toContain('Fatal exception in interrupt');
  expect(failure.lines?.at(-1)).toBe(said.at(-1));
  expect(failure.lines?.length).toBeLessThanOrEqual(20);
  expect(milestones).toEqual(['panic']);
});

// Where the ring is told from another place, the panic may stand before its last lines: but whoever watches the boot sees it.
test('a panic that came faster than it was read is seen before the end is judged', async () => {
  const { milestones } = await endOf([...boot, panic, ...trace]);
  expect(milestones).toEqual(['panic']);
});

/** How a HyperKit is judged that ends with code 2, when its daemon had no time to read what it said. */
async function endOf(said: readonly string[]) {
  const milestones: string[] = [];
  const path = join(dir, 'ring');
  const console = openConsole({
    path,
    logPath: join(dir, 'log'),
    kind: 'ring',
    clock: new FakeClock(),
    onLine: ({ text }) => {
      const milestone = readLine(text);
      if (milestone !== undefined) milestones.push(milestone.type);
    },
  });
  const ring = new RingFile(path);
  ring.write(Buffer.from('first words\r\n'));
  console.poke();
  ring.write(Buffer.from(said.join('\r\n')));
  ring.close();
  const ended = { kind: 'exited', code: 2 } as const;
  const guest = {
    lastLines: (count: number) => console.last(count),
    readConsole: () => console.readToEnd(),
  };
  const scope = { running: { tried: { driver: vmDrivers.hyperkit } }, guest };
  const output = { last: () => [], poke: () => undefined, close: () => Promise.resolve() };
  const vm = { output, memory: new MemoryWatch() };
  const failure = vmFailure(layoutOf(dir), scope, vm, ended);
  // Before close(), and nothing comes twice.
  const seen = [...milestones];
  await console.close();
  expect(milestones).toEqual(seen);
  return { failure, milestones };
}
