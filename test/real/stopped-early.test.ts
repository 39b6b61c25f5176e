import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readLive } from '../../src/system/files/pidfile.ts';
import { fact, type Command } from './command.ts';
import { BuilderRig } from './rig.ts';

let rig: BuilderRig;
beforeAll(async () => (rig = await BuilderRig.create()));
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach((context) => rig.explain(context));

/** Since the log goes on from daemon to daemon: its lines of this one. */
const mine = (daemon: Command, event: string) =>
  rig.log(event).filter(({ pid }) => pid === daemon.pid);
const sees = (name: string) => (daemon: Command) =>
  mine(daemon, 'seen').some((line) => line['name'] === name);

/** Moments of a start, each a fact. */
const moments: readonly (readonly [name: string, came: (daemon: Command) => boolean])[] = [
  ['it catches signals, before it has the lock', ({ pid }) => catchesSignals(pid)],
  ['it has the lock', (daemon) => mine(daemon, 'daemon-started').length > 0],
  ['files are prepared', sees('prepared')],
  ['the VM is launched', () => readLive(vmFiles()) !== undefined],
  ["the VM's control channel answers", sees('vm-answers')],
  ['the guest is in its initrd', sees('init')],
  ['the guest starts its services', sees('disk')],
];

// Behaviour 103: On SIGTERM, the daemon shuts the guest down cleanly, then stops the VM, then the network program. It
// exits with 0 within 25 s, in every phase, even while it is starting.
test.each(moments)('SIGTERM when %s: exit 0, and nothing is left', async (name, came) => {
  const daemon = rig.begin('daemon');
  await fact(name, () => came(daemon));
  const asked = performance.now();
  daemon.signal('SIGTERM');
  expect(await daemon.ended).toBe(0);
  expect(performance.now() - asked).toBeLessThan(25_000);
  await rig.leavesNothing();
  expect(daemon.stderr).not.toContain('linuxkit-builder:');
  expect(mine(daemon, 'phase').at(-1)?.['phase'] ?? 'stopped').toBe('stopped');
});

test('a daemon that waits for the lock of another leaves when it is asked to', async () => {
  const first = rig.begin('daemon');
  await fact('it has the lock', () => mine(first, 'daemon-started').length > 0);
  // As launchd starts it, which would start one that ends again and again.
  const second = rig.begin('daemon', '--managed');
  await fact('it says for whom it waits', () => second.stderr.includes(`pid ${first.pid}`));
  second.signal('SIGTERM');
  expect(await second.ended).toBe(0);
  expect(first.end).toBeUndefined();
  first.signal('SIGTERM');
  expect(await first.ended).toBe(0);
  await rig.leavesNothing();
});

const vmFiles = () => ({ plain: rig.layout.pid('qemu'), record: rig.layout.pidRecord('qemu') });

/**
 * Our handlers are there: proc(5), SigCgt. SIGHUP's is the last of them, and Node has none of its own for it. A signal before
 * that is the death of any program.
 */
function catchesSignals(pid: number): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const hangup = 1n;
  return (BigInt(`0x${caught ?? '0'}`) & hangup) !== 0n;
}
