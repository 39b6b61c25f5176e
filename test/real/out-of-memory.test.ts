import { describe, expect, test } from 'vitest';
import { MemoryGroup, memoryLimits } from '../rig/memory-group.ts';
import { BuilderRig } from './rig.ts';
import { needs } from '../needs.ts';

describe('the host runs out of memory', needs(memoryLimits), () => {
  // Behaviour 92: On Linux, the daemon can tell whether a VM was killed by a user or because the host ran out of
  // memory, and in the second case restarts it after 2 s instead of at once. On macOS it cannot tell, because macOS
  // does not count kills for lack of memory.
  test('that is told apart from a kill by somebody, and the guest is started again later', async (context) => {
    await using rig = await BuilderRig.create({ context });
    await rig.up();
    const { vmPid = 0 } = await rig.reaches('ready');
    using group = MemoryGroup.make(100_000_000);
    group?.add(vmPid);
    // The guest's memory is the VM process's.
    void rig.cli('ssh', '--root', '--', 'dd if=/dev/zero of=/dev/shm/much bs=1M count=400');
    const { because, last } = await rig.untilStatus('a loss', (status) => {
      const failure = status.because ?? status.last;
      return failure !== undefined;
    });
    expect(because ?? last).toMatchObject({ kind: 'host-out-of-memory' });
    await rig.reaches('ready');
    const waits = rig.log('phase').findLast(({ phase }) => phase === 'backing-off')?.time ?? '';
    const again = rig.log('phase').findLast(({ phase }) => phase === 'starting')?.time ?? '';
    expect(Date.parse(again) - Date.parse(waits)).toBeGreaterThanOrEqual(1_990);
    expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  });
});
