/** A real QEMU, whose guest is its firmware: it takes no image to have a memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { userNetwork } from '../../src/net/networks.ts';
import { fieldsOf } from '../../src/system/socket/json-lines.ts';
import { attachQemu } from '../../src/vm/qemu/qemu-control.ts';
import { QemuMemory } from '../../src/vm/qemu/saved-memory.ts';
import { connectQmp } from '../../src/vm/qemu/qmp.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'memory-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

/** One that is ended with its scope. */
async function boot(...more: readonly string[]) {
  const process = spawn('qemu-system-x86_64', [
    '-M',
    'pc',
    '-nodefaults',
    '-display',
    'none',
    '-accel',
    'tcg',
    '-m',
    '64',
    ...more,
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    '-qmp',
    `unix:${layout.qmp},server=on,wait=off`,
  ]);
  const ended = once(process, 'exit');
  const { signal } = new AbortController();
  const qmp = await connectQmp({ path: layout.qmp, clock: systemClock, signal });
  const memory = new QemuMemory(qmp, { clock: systemClock, socket: layout.memorySocket });
  return {
    qmp,
    memory,
    ended,
    state: async () => fieldsOf(await qmp.execute('query-status'))['status'],
    [Symbol.asyncDispose]: async () => {
      qmp.close();
      process.kill('SIGKILL');
      await ended;
      rmSync(layout.qmp, { force: true });
    },
  };
}

const { signal } = new AbortController();
const timeoutMs = 60_000;
const MiB = 1024 ** 2;

async function saved(): Promise<void> {
  await using vm = await boot();
  await vm.memory.save(layout.memory, { signal, timeoutMs });
  expect(await vm.state()).toBe('postmigrate');
  await vm.memory.leave();
  expect(await vm.ended).toEqual([0, null]);
}

// Behaviour 121: QEMU's sandbox stays on while a guest is saved to a file and while it is resumed from that file.
test('a guest goes to a file and comes from it, in the sandbox', async () => {
  await saved();
  expect(statSync(layout.memory).mode & 0o777).toBe(0o600);
  await using vm = await boot('-incoming', 'defer');
  expect(await vm.state()).toBe('inmigrate');
  await vm.memory.load(layout.memory, signal);
  expect(await vm.state()).toBe('paused');
  await vm.qmp.execute('cont');
  expect(await vm.state()).toBe('running');
});

test('a guest that cannot be saved, or is not to be, runs on', async () => {
  await using vm = await boot();
  // Longer than a test may take: it is not left to that.
  const hours = { signal, timeoutMs: 3_600_000 };
  await expect(vm.memory.save('/proc/no/such/place', hours)).rejects.toThrow();
  expect(await vm.state()).toBe('running');
  const wanted = AbortSignal.abort(new Error('it is wanted'));
  await expect(vm.memory.save(layout.memory, { signal: wanted, timeoutMs })).rejects.toThrow(
    'it is wanted',
  );
  expect(await vm.state()).toBe('running');
  // And can be saved as if nothing had been.
  await vm.memory.save(layout.memory, { signal, timeoutMs });
});

test('a guest that was saved never goes on beside its file: who ends what is left of it ends the program', async () => {
  await using vm = await boot();
  await vm.memory.save(layout.memory, { signal, timeoutMs });
  // QMP serves one client at a time.
  vm.qmp.close();
  const tunnel = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  const network = { ...userNetwork, tunnel };
  const rest = { clock: systemClock, signal, network, signalVm: () => undefined };
  const machine = await attachQemu({ layout, ...rest });
  await machine.powerOff();
  expect(await vm.ended).toEqual([0, null]);
  machine.close();
});

test.each([
  ['half of one', () => truncateSync(layout.memory, Math.floor(statSync(layout.memory).size / 2))],
  ['something else', () => writeFileSync(layout.memory, 'something else')],
])('%s is not taken for a guest', async (_what, spoil) => {
  await saved();
  spoil();
  await using vm = await boot('-incoming', 'defer');
  await expect(vm.memory.load(layout.memory, signal)).rejects.toThrow();
});

/** QEMU in the moment after a cancel: it refuses to go on for so many times, and then does, or never. */
function reluctant(times: number, halted = 'paused', migrates = false) {
  const said: string[] = [];
  const rates: unknown[] = [];
  let state = 'running';
  // What QEMU takes where it is told nothing.
  let rate: unknown = 128 * MiB;
  const execute = (command: string, values: Readonly<Record<string, unknown>> = {}) => {
    said.push(command);
    const refuse = (desc: string) => Promise.reject(new Error(desc));
    switch (command) {
      case 'query-version':
        return Promise.resolve({ qemu: { major: 10 } });
      case 'stop':
        state = halted;
        return Promise.resolve({});
      case 'migrate-set-parameters':
        rate = values['max-bandwidth'] ?? rate;
        return Promise.resolve({});
      case 'migrate':
        rates.push(rate);
        state = 'finish-migrate';
        if (migrates) return Promise.resolve({});
        return refuse('it breaks');
      case 'cont':
        if (times-- > 0) return refuse('Migration is not finalized yet');
        state = 'running';
        return Promise.resolve({});
      case 'query-status':
        return Promise.resolve({ status: state });
      default:
        return Promise.resolve({});
    }
  };
  const clock = new FakeClock();
  return { said, rates, clock, memory: new QemuMemory({ execute }, { clock, socket: '/nowhere' }) };
}

test('a guest is written as fast as its disk takes it', async () => {
  const { rates, memory } = reluctant(0);
  await expect(memory.save('/f', { signal, timeoutMs })).rejects.toThrow('it breaks');
  expect(rates).toHaveLength(1);
  // More than any disk takes.
  expect(rates[0]).toBeGreaterThan(100_000 * MiB);
});

test('a QEMU whose migration has not ended yet is asked again to go on', async () => {
  const { said, clock, memory } = reluctant(3);
  const saved = expect(memory.save('/f', { signal, timeoutMs })).rejects.toThrow('it breaks');
  await clock.advance(100);
  await saved;
  expect(said.slice(said.indexOf('migrate_cancel'))).toEqual([
    'migrate_cancel',
    ...Array.from({ length: 4 }, () => ['cont', 'query-status']).flat(),
  ]);
});

test('a guest that cannot be had to go on is told as halted', async () => {
  const { clock, memory } = reluctant(Infinity);
  const saved = expect(memory.save('/f', { signal, timeoutMs })).rejects.toMatchObject({
    failure: { kind: 'guest-halted', deaf: 'dead' },
  });
  await clock.advance(6_000);
  await saved;
});

test("a guest whose disk fails as it is halted is not saved, and its disk is others' affair", async () => {
  const { said, memory } = reluctant(Infinity, 'io-error');
  const failure = { kind: 'guest-not-halted' };
  await expect(memory.save('/f', { signal, timeoutMs })).rejects.toMatchObject({ failure });
  expect(said).not.toContain('migrate');
  expect(said.filter((command) => command === 'cont')).toHaveLength(1);
});

test('a guest whose file is not written in time goes on', async () => {
  const { said, clock, memory } = reluctant(0, 'paused', true);
  const failure = { kind: 'guest-not-saved' };
  const saved = expect(memory.save('/f', { signal, timeoutMs: 12_000 })).rejects.toMatchObject({
    failure,
  });
  await clock.advance(11_000);
  expect(said).not.toContain('cont');
  await clock.advance(1_000);
  await saved;
  expect(said.slice(-3)).toEqual(['migrate_cancel', 'cont', 'query-status']);
});
