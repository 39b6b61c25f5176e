import { expect, test } from 'vitest';
import { Failed } from '../../src/system/failure.ts';
import { qmpClosed, qmpSilent } from '../../src/vm/qemu/qmp.ts';
import { RunStateWatch } from '../../src/vm/qemu/run-state-watch.ts';
import { runStateOf, runStates, type RunState } from '../../src/vm/run-states.ts';
import { saying } from '../fakes/saying.ts';

/** A QEMU in one state after the other, and what is told of it. */
function watchOf(...states: (string | Error)[]) {
  const told: string[] = [];
  const asked: string[] = [];
  const watch = new RunStateWatch({
    onPaused: (why) => told.push(`paused: ${why}`),
    onResumed: () => told.push('resumed'),
    onLost: ({ kind }) => told.push(`lost: ${kind}`),
    isDiskFull: () => false,
  });
  const execute = (command: string) => {
    asked.push(command);
    const status = command === 'query-status' ? states.shift() : undefined;
    return status instanceof Error
      ? Promise.reject(status)
      : Promise.resolve({ status, running: status === 'running' || status === 'newer' });
  };
  return { told, asked, watch, follow: () => watch.follow({ execute }) };
}

/** QEMU's qapi/run-state.json, from 7.2 to 11.1. */
const all = [
  'debug',
  'inmigrate',
  'internal-error',
  'io-error',
  'paused',
  'postmigrate',
  'prelaunch',
  'finish-migrate',
  'restore-vm',
  'running',
  'save-vm',
  'shutdown',
  'suspended',
  'watchdog',
  'guest-panicked',
  'colo',
  'preconfig',
];

test('the table has every state of QEMU', () => {
  expect(Object.keys(runStates).sort()).toEqual([...all].sort());
});

const outcome: Readonly<Record<string, string>> = {
  'internal-error': 'lost: accelerator-broken',
  'guest-panicked': 'lost: guest-panicked',
  watchdog: 'lost: vm-watchdog',
  shutdown: 'lost: guest-powered-off',
};

// Behaviour 94: Each run state of QEMU has a message and a response of its own. The daemon waits while the VM is
// paused, halted or being saved, and restarts a VM that cannot continue.
test.each(all.filter((state) => state !== 'running'))('%s is told once', async (state) => {
  const { told, watch, follow } = watchOf(state, state, 'running');
  await follow();
  await watch.look();
  expect(told).toEqual([outcome[state] ?? `paused: ${state}`]);
  const row = runStates[runStateOf(state) as RunState];
  const sentence = 'sentence' in row ? row.sentence : 'failure' in row && row.failure.message;
  expect(sentence).toEqual(saying(/\.$/));
  await watch.look();
  expect(told.at(-1)).toBe('resumed');
});

test('a guest that sleeps is woken', async () => {
  const { asked, follow } = watchOf('suspended');
  await follow();
  expect(asked).toEqual(['query-status', 'system_wakeup']);
});

test('one that goes on says so itself', async () => {
  const { told, watch, follow } = watchOf('running', 'paused');
  await follow();
  await watch.look();
  watch.goesOn();
  watch.goesOn();
  expect(told).toEqual(['paused: paused', 'resumed']);
});

test('a state of a newer QEMU is told by whether the guest runs in it', async () => {
  const { told, watch, follow } = watchOf('newer', 'newest');
  await follow();
  expect(told).toEqual([]);
  await watch.look();
  expect(told).toEqual(['paused: unknown']);
});

test('a QEMU that does not answer is told of, one that is gone is not', async () => {
  const silent = new Failed(qmpSilent('query-status', 1));
  const { told, watch, follow } = watchOf(new Failed(qmpClosed()), silent);
  await follow();
  expect(told).toEqual([]);
  await watch.look();
  expect(told).toEqual(['paused: unknown']);
});

test('nothing is asked before there is a connection', async () => {
  const { told, asked, watch } = watchOf('paused');
  await watch.look();
  expect({ told, asked }).toEqual({ told: [], asked: [] });
});
