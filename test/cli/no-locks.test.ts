/** What each command says where the file system of the state directory keeps no locks. */
import { existsSync, mkdirSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { startDaemon } from '../../src/client/background.ts';
import { stopDaemon } from '../../src/client/stop-daemon.ts';
import { keepPrivate } from '../../src/host/directory/private-directories.ts';
import { daemon } from '../../src/supervisor/daemon/daemon.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf } from '../../src/system/failure.ts';
import { lockless, locklessPath, type Lockless } from '../rig/lockless.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';
import { saying } from '../fakes/saying.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const signal = new AbortController().signal;
const failureIn = (work: Promise<unknown>) => work.then(() => undefined, failureOf);
type Rig = ReturnType<typeof configureRig>;

/** What touches files that others may touch, or asks who runs. */
const commands: Readonly<Record<string, (rig: Rig) => Promise<unknown>>> = {
  configure: async (rig) => (await rig.run('-c', '1')).failure,
  unconfigure: async (rig) => (await rig.unconfigure('--purge', '--yes')).failure,
  start: ({ layout }) =>
    failureIn(startDaemon(layout, { env: {}, clock: systemClock, signal, assets: '/nowhere' })),
  stop: ({ layout }) => failureIn(stopDaemon(layout, { clock: systemClock, signal })),
  daemon: ({ layout }) =>
    failureIn(
      daemon({
        layout,
        clock: systemClock,
        managed: false,
        signal,
        doorSocket: '/nowhere',
        closeDirectories: keepPrivate,
        onStopSignal: () => undefined,
        onStatus: () => undefined,
        onStandby: () => undefined,
        onBlocked: () => undefined,
      }),
    ),
};

const kinds = ['NFS without a lock daemon', 'a server that does not answer'] as const;

// Behaviour 15: If a file system does not support locks, or does not answer a request for one, every command says so
// instead of waiting. `doctor` checks for this.
describe('without locks', needs('Linux'), () => {
  const rows = Object.keys(commands).flatMap((command) =>
    kinds.map((kind) => [command, kind] as const),
  );
  test.each(rows)('%s says so, and waits for nobody: %s', async (command, kind) => {
    using rig = await configured(kind);
    const told = await commands[command]?.(rig);
    expect(told).toMatchObject({ kind: 'no-locks', exit: 71 });
    expect(told).toMatchObject({ message: expect.stringContaining(lockless[kind].why) as string });
    expect(told).toMatchObject({ hint: saying('-d ') });
    expect(existsSync(rig.layout.config)).toBe(true);
  });

  test('doctor has a check for it', async () => {
    using rig = await configured('NFS without a lock daemon');
    const findings = await rig.doctor();
    expect(findings).toContainEqual(expect.objectContaining({ name: 'locks', kind: 'bad' }));
  });
});

/** Configured where there were locks; there are none any more. */
async function configured(kind: Lockless): Promise<Rig> {
  const rig = configureRig();
  expect((await rig.run('-c', '1')).failure).toBeUndefined();
  mkdirSync(rig.layout.state, { recursive: true });
  vi.stubEnv('PATH', locklessPath(rig.tree, kind));
  return rig;
}
